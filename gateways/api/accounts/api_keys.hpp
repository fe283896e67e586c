#pragma once

#include "gateways/api/accounts/desk.hpp"

namespace slipway::gateways::api {

constexpr std::size_t key_name_characters_max = 50;
constexpr std::size_t key_description_characters_max = 150;

/// API keys (balena-api.md 2.6). Each answers the secret as a JSON string; it is not kept, only its hash.
class api_keys {
public:
  explicit api_keys(desk& d) : desk_(d) {}

  /// POST /api-key/user/full: needs a fresh login (ADR 56).
  runtime::awaitable<void> named_user_key(runtime::exchange& x);
  /// POST /api-key/application/:id/provisioning
  runtime::awaitable<void> provisioning_key(runtime::exchange& x, std::int64_t application);
  /// POST /api-key/device/:id/device-key
  runtime::awaitable<void> device_key(runtime::exchange& x, std::int64_t device);
  /// POST /api-key/v1 and /api-key/v2
  runtime::awaitable<void> generic_key(runtime::exchange& x);
  /// POST /application/:id/generate-api-key: of the user, as very old devices have it; needs a fresh login.
  runtime::awaitable<void> legacy_user_key(runtime::exchange& x, std::int64_t application);

private:
  struct request;
  [[nodiscard]] runtime::awaitable<messages::result<request>> read(runtime::exchange& x) const;
  [[nodiscard]] runtime::awaitable<void> make(runtime::exchange& x, request w);
  /// Of a fleet or device, named in the path.
  [[nodiscard]] runtime::awaitable<void> make_of(runtime::exchange& x, messages::entity_ref owner);
  [[nodiscard]] const services& s() const { return desk_.s(); }
  desk& desk_;
};

/// A key that is to be made.
struct new_key {
  messages::requester by;
  messages::entity_ref owner;  ///< user, fleet or device
  std::string name;
  std::string description;
  std::int64_t expires = 0;   ///< ms, 0 = never
  std::string chosen;         ///< by the device; "" = made up
  messages::key_scope scope;  ///< of a user's key
  std::int64_t uses = 0;      ///< of a provisioning key; 0 = without end
};
/// Makes an API key and answers its secret, which is not kept.
[[nodiscard]] runtime::awaitable<messages::result<std::string>>
create_key(const services& s, boost::asio::any_io_executor executor, new_key wanted);

}  // namespace slipway::gateways::api
