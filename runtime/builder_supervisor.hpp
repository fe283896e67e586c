#pragma once

#include "runtime/builder_config.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace slipway::runtime {

/// The build worker that a server runs itself: a child process, there while a container engine answers. It joins as `embedded`, with a
/// key pair made anew for each life.
class builder_supervisor {
public:
  struct options {
    std::string program = "/proc/self/exe";
    std::vector<std::string> arguments = {"builder", "--embedded"};
    std::string engine = "unix:///var/run/docker.sock";
    std::string core;        ///< endpoint of the server's bus for workers, as bound
    std::string server_key;  ///< its public key
    std::uint32_t slots = 0;
    std::string work_dir;  ///< of the worker; below the server's data
    bool open_network = false;
    std::string log_level = "info";
    std::string log_format = "text";
    int restart_ms_min = 500;  ///< doubles up to `restart_ms_max`
    int restart_ms_max = 30'000;
    int engine_poll_ms = 5'000;  ///< while no engine answers
  };
  /// Lets a worker in by name and public key: bus_server::allow. Called on the supervisor's thread.
  using allow_function = std::function<void(const std::string& name, const std::string& key)>;

  builder_supervisor(options o, allow_function allow);
  ~builder_supervisor();  ///< stops
  builder_supervisor(const builder_supervisor&) = delete;
  builder_supervisor& operator=(const builder_supervisor&) = delete;

  /// Does not wait for the engine or the worker.
  void start();
  /// Ends the worker, which gives its builds back. Blocks, at most about 15 s.
  void stop();
  /// -1 when none runs. Any thread.
  [[nodiscard]] pid_t pid() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
