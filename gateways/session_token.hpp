#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// What a login session's token says (balena-api.md 2.2).
struct session_claims {
  std::int64_t user = 0;
  std::string secret;          ///< the user's, so that changing it ends all its sessions
  std::int64_t auth_time = 0;  ///< ms: when the password was given
  std::int64_t issued = 0;     ///< s
  std::int64_t expires = 0;    ///< s
};

constexpr std::int64_t session_seconds = 7 * 24 * 3600;

/// HS256 with the server's own key.
[[nodiscard]] std::string mint_session(std::string_view key, const session_claims& claims);
/// Errors: unauthorized (not a token of ours, altered, expired at `now_s`).
[[nodiscard]] messages::result<session_claims>
verify_session(std::string_view key, std::string_view token, std::int64_t now_s);

}  // namespace slipway::gateways
