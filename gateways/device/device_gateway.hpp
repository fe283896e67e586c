#pragma once

#include "gateways/device/heartbeats.hpp"
#include "gateways/device/metrics_limit.hpp"
#include "gateways/device/report_names.hpp"
#include "gateways/device/target_cache.hpp"
#include "gateways/services.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

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
  /// GET /device/v2/:uuid/state
  runtime::awaitable<void> get_state_v2(runtime::exchange& x, std::string uuid);
  /// GET /device/v3/fleet/:uuid/state
  runtime::awaitable<void> get_fleet_state(runtime::exchange& x, std::string uuid);
  /// PATCH /device/v3/state
  runtime::awaitable<void> report_state(runtime::exchange& x);
  /// PATCH /device/v2/:uuid/state
  runtime::awaitable<void> report_state_v2(runtime::exchange& x, std::string uuid);
  /// PATCH /device/v3/tags: `{"<uuid>": {"<tag>": "<value>"}}`
  runtime::awaitable<void> report_tags(runtime::exchange& x);

private:
  struct request {
    messages::requester by;
    nlohmann::json body;  ///< an object that is not empty
  };
  /// The device's own key counts as a sign of life.
  [[nodiscard]] bool may_read(const messages::requester& by, const target& t);
  [[nodiscard]] static bool is_stranger(const messages::result<messages::requester>& by);
  /// The target that this request may read now; else null and what is to be answered.
  [[nodiscard]] std::shared_ptr<const target>
  readable(const runtime::exchange& x, const std::string& uuid, runtime::response& otherwise);
  [[nodiscard]] bool may_report(const messages::requester& by, const target& t) const;
  /// Errors: unauthorized, when there is no such device, it is frozen, or the requester may not report for it.
  [[nodiscard]] messages::result<std::shared_ptr<const target>> reporting(
    const messages::requester& by,
    const std::string& uuid);
  [[nodiscard]] runtime::awaitable<messages::result<request>> read_report(runtime::exchange& x);
  [[nodiscard]] runtime::awaitable<messages::result<void>>
  write_report(runtime::exchange& x, std::int64_t device, messages::report_state report);
  [[nodiscard]] messages::result<std::vector<messages::field_value>>
  parse_tag(std::int64_t device, const std::string& key, const nlohmann::json& v) const;
  [[nodiscard]] runtime::awaitable<messages::result<void>> set_tag(
    runtime::exchange& x,
    const messages::requester& by,
    std::int64_t device,
    std::vector<messages::field_value> values);

  std::shared_ptr<const services> s_;
  target_cache targets_;
  heartbeats heartbeats_;
  report_names names_;
  metrics_limit metrics_;
};

}  // namespace slipway::gateways::device
