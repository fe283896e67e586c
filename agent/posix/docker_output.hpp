#pragma once

#include "agent/log_ports.hpp"
#include "runtime/container_engine.hpp"
#include "runtime/container_log_streams.hpp"

#include <atomic>
#include <map>
#include <string>

namespace slipway::agent {

/// Output of the containers that carry this device's label, from the Docker Engine API.
class docker_output : public log_output_port {
public:
  explicit docker_output(const std::string& endpoint) : engine_(endpoint), streams_(endpoint) {}
  /// Before use: the identity may be final only after registration.
  void set_identity(std::string uuid) { uuid_ = std::move(uuid); }

  messages::result<std::vector<log_source>> sources() override;
  messages::result<void> open(const log_source& s, std::int64_t since, int tail) override;
  void close(const std::string& container) override { streams_.close(container); }
  std::vector<std::string> run(
    std::chrono::milliseconds wait,
    std::size_t bytes_max,
    const std::function<void(const log_bytes&)>& take) override;
  void cancel() override {
    engine_.cancel();
    streams_.wake();
  }

private:
  runtime::container_engine engine_;
  runtime::container_log_streams streams_;
  std::string uuid_;
  std::map<std::string, log_source> known_;
};

}  // namespace slipway::agent
