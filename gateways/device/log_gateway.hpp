#pragma once

#include "domain/access.hpp"
#include "gateways/device/log_hub.hpp"
#include "gateways/device/log_limiter.hpp"
#include "gateways/live_right.hpp"
#include "gateways/services.hpp"

#include <memory>
#include <string>

namespace slipway::gateways::device {

/// Device logs (balena-api.md 8.9; docs/protocols/device-logs.md).
class log_gateway {
public:
  explicit log_gateway(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// POST /device/v2/:uuid/logs
  runtime::awaitable<void> post_batch(runtime::exchange& x, std::string uuid);
  /// POST /device/v2/:uuid/log-stream
  runtime::awaitable<void> post_stream(runtime::exchange& x, std::string uuid);
  /// GET /device/v2/:uuid/logs
  runtime::awaitable<void> get(runtime::exchange& x, std::string uuid);

private:
  struct sending;
  struct reading;

  /// The device, when the requester may do this to its log. Errors: unauthorized, not_found, unavailable.
  [[nodiscard]] messages::result<std::int64_t>
  device_of(const runtime::exchange& x, const std::string& uuid, domain::action what) const;
  /// The same for as long as the exchange lasts.
  [[nodiscard]] live_right
  right_to(const runtime::exchange& x, std::int64_t device, domain::action what) const;
  runtime::awaitable<messages::result<void>> receive(sending& in);
  runtime::awaitable<messages::result<void>> store(sending& in);
  runtime::awaitable<void> send_list(reading& out);
  runtime::awaitable<void> send_stream(reading& out);

  std::shared_ptr<const services> s_;
  log_limiter limiter_;
};

}  // namespace slipway::gateways::device
