#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// Where a session stands with its second factor; clients read it from the token (balena-api.md 2.2).
enum class second_factor : std::uint8_t {
  none,  ///< the user has none: the token does not mention it
  pending,  ///< the password was right, the code is still owed: good for giving it and for nothing else
  passed,
};

/// What a login session's token says (balena-api.md 2.2).
struct session_claims {
  std::int64_t user = 0;
  std::string secret;          ///< the user's, so that changing it ends all its sessions
  std::int64_t auth_time = 0;  ///< ms: when the password was given
  std::int64_t issued = 0;     ///< s
  std::int64_t expires = 0;    ///< s
  std::int64_t session = 0;    ///< row of the session; 0 while the second factor is owed
  gateways::second_factor second_factor = second_factor::none;
};

constexpr std::int64_t session_seconds = 7 * 24 * 3600;
/// A token that still owes its second factor; long enough to find one's telephone.
constexpr std::int64_t pending_session_seconds = 10 * 60;
/// What changes credentials needs a password given this recently (ADR 56).
constexpr std::int64_t fresh_login_ms = 20 * 60 * 1000;

/// HS256 with the server's own key.
[[nodiscard]] std::string mint_session(std::string_view key, const session_claims& claims);
/// Errors: unauthorized (not a token of ours, altered, expired at `now_s`).
[[nodiscard]] messages::result<session_claims>
verify_session(std::string_view key, std::string_view token, std::int64_t now_s);
/// Is it a token rather than an API key?
[[nodiscard]] bool is_session(std::string_view credential);

}  // namespace slipway::gateways
