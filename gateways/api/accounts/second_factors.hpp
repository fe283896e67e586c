#pragma once

#include "gateways/api/accounts/desk.hpp"
#include "gateways/api/accounts/sessions.hpp"

namespace slipway::gateways::api {

/// The second factor of logins: codes of an authenticator application (balena-api.md 2.1, ADR 56), and recovery codes for when it is
/// lost.
class second_factors {
public:
  explicit second_factors(desk& d) : desk_(d) {}

  /// GET /auth/totp/setup: a new secret in base32; as JSON with the otpauth address for those who ask for JSON. It counts from the
  /// first code that is given.
  runtime::awaitable<void> setup(runtime::exchange& x);
  /// POST /auth/totp/verify {code}: ends the wait of a login, or enables the secret that was set up.
  runtime::awaitable<void> verify(runtime::exchange& x);
  /// POST /auth/totp/disable {password}
  runtime::awaitable<void> disable(runtime::exchange& x);
  /// POST /auth/totp/recovery-codes: new ones, shown this once; those before are void.
  runtime::awaitable<void> make_recovery_codes(runtime::exchange& x);

  /// The token of a login whose code was given. Errors: unauthorized, too_many_requests.
  [[nodiscard]] runtime::awaitable<attempt<std::string>>
  pass(runtime::exchange& x, live_session session, std::string code);

private:
  [[nodiscard]] const services& s() const { return desk_.s(); }
  [[nodiscard]] runtime::awaitable<messages::result<void>>
  use_code(runtime::exchange& x, messages::row user, std::string code);
  [[nodiscard]] runtime::awaitable<messages::result<void>>
  use_recovery_code(runtime::exchange& x, messages::row user, std::string code);
  desk& desk_;
};

}  // namespace slipway::gateways::api
