#pragma once

#include "cli/context.hpp"

#include <functional>
#include <string>

namespace slipway::cli {

/// Does what needs a password given in the last minutes: when the server refuses it as not permitted, asks for the password, gets a
/// fresh token, keeps that, and tries once more. Without a terminal to ask on, the first refusal stands.
messages::result<std::string> with_fresh_login(
  context& c,
  const std::function<messages::result<std::string>()>& work);

/// From now on this token is the one of the server, also for later commands.
messages::result<void> keep_token(context& c, const std::string& token);

/// Does this login still owe the code of its second factor? (balena-api.md 2.2)
bool owes_code(const std::string& token);

}  // namespace slipway::cli
