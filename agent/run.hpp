#pragma once

#include <string>

namespace slipway::agent {

struct run_options {
  std::string config_file;
  std::string state_folder;
  std::string engine = "unix:///var/run/docker.sock";
  /// Where the engine looks for a registry's roots; "" = leave it alone.
  std::string engine_certificates = "/etc/docker/certs.d";
  std::string lock_folder = "/tmp/balena-supervisor/services";  ///< of update locks
  int poll_interval_ms = 0;  ///< 0 = as config.json and the platform say
  int report_gap_ms = 1000;
  bool verbose = false;
  bool log_json = false;
};

/// Runs until SIGTERM or SIGINT. Answers the exit code: 0 stopped, 1 failed, 2 the environment is unusable.
[[nodiscard]] int run_agent(const run_options& options);

}  // namespace slipway::agent
