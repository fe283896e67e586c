#pragma once

#include "agent/ports.hpp"

#include <string>
#include <vector>

namespace slipway::agent {

/// What config.json says of this host: `hostCommands` `{reboot: [...], shutdown: [...]}`, each a program with its arguments,
/// and `ledFile`. Nothing is assumed: an agent beside others, or in a container, must not take its host down.
struct host_command_settings {
  std::vector<std::string> reboot;
  std::vector<std::string> shutdown;
  std::string led_file;
};

class host_commands : public host_control {
public:
  explicit host_commands(host_command_settings settings) : settings_(std::move(settings)) {}

  messages::result<void> reboot() override;
  messages::result<void> shutdown() override;
  bool light(bool on) override;
  messages::result<std::string> journal(
    const std::vector<std::string>& arguments,
    std::size_t bytes_max) override;
  std::string hostname() override;

private:
  host_command_settings settings_;
};

/// Runs a program without a shell and answers the end of what it wrote to its output. Errors: io_failed when it cannot be started or
/// ends with another status than 0, timed_out (it is killed then).
[[nodiscard]] messages::result<std::string>
run_command(const std::vector<std::string>& command, std::size_t bytes_max, int timeout_ms);

}  // namespace slipway::agent
