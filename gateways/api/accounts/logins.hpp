#pragma once

#include "gateways/api/accounts/desk.hpp"
#include "gateways/api/accounts/sessions.hpp"
#include "gateways/route_table.hpp"

namespace slipway::gateways::api {

/// Logging in, staying logged in, and passwords (balena-api.md 2.1, 2.4).
class logins {
public:
  explicit logins(desk& d) : desk_(d) {}

  /// POST /login_
  runtime::awaitable<void> login(runtime::exchange& x);
  /// GET /user/v1/refresh-token: the same session for another week.
  runtime::awaitable<void> refresh(runtime::exchange& x);
  /// POST /user/v1/refresh-token {password}: the same session, fresh again.
  runtime::awaitable<void> refresh_with_password(runtime::exchange& x);
  /// PUT or POST /user/v1/password {password, currentPassword}: ends all sessions and answers a new one's token.
  runtime::awaitable<void> change_password(runtime::exchange& x);
  /// DELETE /user/v1/account {password}
  runtime::awaitable<void> remove_account(runtime::exchange& x);

  /// GET /user/v1/sessions
  runtime::awaitable<void> list_sessions(runtime::exchange& x);
  /// DELETE /user/v1/sessions/:id
  runtime::awaitable<void> end_session(runtime::exchange& x, std::int64_t id);
  /// DELETE /user/v1/sessions: all but the one that asks.
  runtime::awaitable<void> end_other_sessions(runtime::exchange& x);

  /// What POST /login_ answers to right login data: a token, which owes the second factor when the user has one.
  [[nodiscard]] runtime::awaitable<messages::result<std::string>> admit(
    runtime::exchange& x,
    messages::row user);

private:
  [[nodiscard]] const services& s() const { return desk_.s(); }
  desk& desk_;
};

/// A whole session whose password was given lately, or is given in the body's member `name`. Errors: unauthorized,
/// too_many_requests.
[[nodiscard]] runtime::awaitable<attempt<live_session>>
fresh_session_of(desk& d, runtime::exchange& x, std::string password);

}  // namespace slipway::gateways::api
