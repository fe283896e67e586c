#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace slipway::runtime {

/// Keeps one child process running: starts it again when it ends, after a pause that grows, and stops it at the end. It dies with this
/// process, however that ends.
class child_keeper {
public:
  struct options {
    std::string what;  ///< for the log: `edge`
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments;
    int restart_ms_min = 100;  ///< doubles up to `restart_ms_max`; back to it after 30 s of life
    int restart_ms_max = 10'000;
    int retry_ms = 5'000;  ///< until `input` is asked again
  };
  /// Called one at a time on the keeper's thread; they must not throw.
  struct callbacks {
    /// What the child finds on its standard input, at most 64 KiB; nothing = it is not started now.
    std::function<std::optional<std::string>()> input;
    std::function<void()> on_tick;  ///< about every 250 ms; may be empty
    std::function<void()> on_ended;
  };
  child_keeper(options o, callbacks c);
  ~child_keeper();  ///< stops
  child_keeper(const child_keeper&) = delete;
  child_keeper& operator=(const child_keeper&) = delete;

  void start();
  /// SIGTERM, after two seconds (or `grace_ms`) SIGKILL. Blocks; no callback afterwards.
  void stop(int grace_ms = 2'000);
  /// -1 when none runs. Any thread.
  [[nodiscard]] pid_t pid() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
