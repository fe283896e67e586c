#pragma once

#include "gateways/services.hpp"

namespace slipway::gateways::api {

/// Who a credential stands for (balena-api.md 2.3), and the SSH keys of users (9.1).
class who {
public:
  explicit who(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// GET /actor/v1/whoami; also for a session that still owes its second factor.
  runtime::awaitable<void> actor(runtime::exchange& x);
  /// GET /user/v1/whoami
  runtime::awaitable<void> user(runtime::exchange& x);
  /// GET /auth/v1/public-keys/:username: to a device the keys of those who may open a shell on it, to users their own, to
  /// administrators anybody's. Who has none, who may not and who does not exist look the same: nothing.
  runtime::awaitable<void> public_keys(runtime::exchange& x, std::string username);

private:
  [[nodiscard]] messages::result<messages::requester> requester_or_pending(
    const runtime::exchange& x) const;
  std::shared_ptr<const services> s_;
};

}  // namespace slipway::gateways::api
