#pragma once

#include "gateways/device/heartbeats.hpp"
#include "gateways/device/report_names.hpp"
#include "gateways/device/target_cache.hpp"
#include "gateways/services.hpp"

#include <memory>
#include <string>

namespace slipway::gateways::device {

/// What devices ask (balena-api.md 8). Each answers the exchange.
class device_gateway {
public:
  explicit device_gateway(std::shared_ptr<const services> s)
    : s_(std::move(s)), targets_(s_), heartbeats_(s_), names_(s_) {}

  /// To be called every few seconds.
  void sweep() { heartbeats_.sweep(); }

  /// GET /device/v3/:uuid/state
  runtime::awaitable<void> get_state(runtime::exchange& x, std::string uuid);
  /// GET /device/v3/fleet/:uuid/state
  runtime::awaitable<void> get_fleet_state(runtime::exchange& x, std::string uuid);
  /// PATCH /device/v3/state
  runtime::awaitable<void> report_state(runtime::exchange& x);

private:
  /// May the requester report for this device?
  [[nodiscard]] bool may_report(const messages::requester& by, std::int64_t device) const;

  std::shared_ptr<const services> s_;
  target_cache targets_;
  heartbeats heartbeats_;
  report_names names_;
};

}  // namespace slipway::gateways::device
