#pragma once

#include "gateways/services.hpp"

#include <memory>

namespace slipway::gateways::api {

/// Login, sessions and API keys (balena-api.md 2). Each answers the exchange.
class accounts {
public:
  explicit accounts(std::shared_ptr<const services> s);
  ~accounts();

  runtime::awaitable<void> login(runtime::exchange& x);
  runtime::awaitable<void> refresh(runtime::exchange& x);
  runtime::awaitable<void> whoami_actor(runtime::exchange& x);
  runtime::awaitable<void> whoami_user(runtime::exchange& x);
  /// POST /api-key/user/full
  runtime::awaitable<void> user_key(runtime::exchange& x);
  /// POST /api-key/application/:id/provisioning
  runtime::awaitable<void> provisioning_key(runtime::exchange& x, std::int64_t application);
  /// POST /api-key/device/:id/device-key
  runtime::awaitable<void> device_key(runtime::exchange& x, std::int64_t device);
  /// POST /api-key/v1 and /api-key/v2
  runtime::awaitable<void> generic_key(runtime::exchange& x);

private:
  struct key_request;
  class login_limiter;
  runtime::awaitable<void> make_key(
    runtime::exchange& x,
    messages::requester by,
    messages::entity_ref owner,
    key_request request);
  std::shared_ptr<const services> s_;
  std::unique_ptr<login_limiter> limiter_;
};

/// Makes an API key for a user, fleet or device and answers its secret, which is not kept.
[[nodiscard]] runtime::awaitable<messages::result<std::string>> create_key(
  const services& s,
  boost::asio::any_io_executor executor,
  messages::requester by,
  messages::entity_ref owner,
  std::string name,
  std::string description,
  std::int64_t expires,
  std::string chosen = "");

}  // namespace slipway::gateways::api
