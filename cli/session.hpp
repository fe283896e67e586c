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

}  // namespace slipway::cli
