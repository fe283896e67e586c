#pragma once

#include "gateways/services.hpp"
#include "gateways/session_token.hpp"

#include <string>

namespace slipway::gateways::api {

/// The session that a request's token stands for, whole or still owing its second factor.
struct live_session {
  session_claims claims;
  messages::row user;
};

/// Errors: unauthorized (no token, an API key, an ended session).
[[nodiscard]] messages::result<live_session> session_of(
  const services& s,
  const runtime::exchange& x);
[[nodiscard]] messages::result<live_session> session_of_token(
  const services& s,
  std::string_view token);
/// A whole session, which an API key is not. Errors: unauthorized.
[[nodiscard]] messages::result<live_session> whole_session_of(
  const services& s,
  const runtime::exchange& x);
/// Was the password given in the last `fresh_login_ms`? (ADR 56)
[[nodiscard]] bool is_fresh(const services& s, const session_claims& claims);

/// A token for the user's new session, which is durable before it is answered. `user` is the row that the credentials were checked
/// against: when they change meanwhile the token is void.
[[nodiscard]] runtime::awaitable<messages::result<std::string>> open_session(
  const services& s,
  runtime::exchange& x,
  messages::row user,
  std::int64_t auth_time,
  second_factor factor);
/// Another token of the same session with a new expiry, and with the claims as they are in `session` now. Errors: unauthorized (ended
/// meanwhile).
[[nodiscard]] runtime::awaitable<messages::result<std::string>>
renew_session(const services& s, runtime::exchange& x, live_session session);
/// A token that is good for giving the second factor only.
[[nodiscard]] std::string
pending_token(const services& s, const messages::row& user, std::int64_t auth_time);

/// Changes fields of a user's row on its own behalf. Errors: those of the rules.
[[nodiscard]] runtime::awaitable<messages::result<void>> change_user(
  const services& s,
  runtime::exchange& x,
  messages::row user,
  std::vector<messages::field_value> values);

}  // namespace slipway::gateways::api
