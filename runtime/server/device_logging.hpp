#pragma once

#include "gateways/device/log_hub.hpp"
#include "messages/error.hpp"
#include "messages/event.hpp"
#include "runtime/serve_config.hpp"
#include "storage/store.hpp"

#include <caf/fwd.hpp>

#include <memory>
#include <span>

namespace slipway::runtime {

/// The parts of device logs, put together: store, hub and writer.
class device_logging {
public:
  /// Errors: those of `storage::open_device_logs`.
  [[nodiscard]] static messages::result<std::unique_ptr<device_logging>> open(
    const serve_config& config);
  /// Starts the writer. `rows` tells which devices there are.
  void start(caf::actor_system& system, std::shared_ptr<storage::read_model> rows);
  /// Readers look again whether they may go on, if one of these commits could mean that they may not. In the journal's thread, before the
  /// commits are answered.
  void committed(std::span<const messages::log_record> records);
  /// Brings the gauges of `GET /metrics` up to date.
  void measure();
  /// Ends all readers: before the HTTP server stops.
  void close();
  /// Ends the writer, once what it was given is written: after the HTTP server has stopped.
  void stop(caf::actor_system& system);
  ~device_logging();

  [[nodiscard]] const std::shared_ptr<gateways::device::log_hub>& hub() const;

private:
  struct impl;
  explicit device_logging(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
