#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace slipway::test {

/// How a program ended and what it printed.
struct child_result {
  int exit_code = -1;  ///< -1 when a signal ended it
  int signal = 0;
  std::string out;
};

/// Runs a program with further environment variables and waits for it. `kill_after_bytes` >= 0: SIGKILL once it has printed so much.
child_result run_child(
  const std::vector<std::string>& command,
  const std::map<std::string, std::string>& environment = {},
  long kill_after_bytes = -1);

/// A program that runs beside the test; SIGKILLed and awaited at the end unless `stop` came first.
class background_child {
public:
  explicit background_child(
    const std::vector<std::string>& command,
    const std::map<std::string, std::string>& environment = {});
  ~background_child();
  background_child(const background_child&) = delete;
  background_child& operator=(const background_child&) = delete;

  /// The next line it prints, "" at its end.
  std::string read_line();
  /// Sends a signal and waits for the end.
  child_result stop(int signal);
  /// Waits for the end, which something else brings about.
  child_result wait();
  [[nodiscard]] pid_t pid() const { return pid_; }

private:
  int out_ = -1;  // before pid_, whose start fills it
  pid_t pid_ = -1;
};

}  // namespace slipway::test
