#pragma once

#include "cli/context.hpp"

#include <cstdint>
#include <string>

namespace slipway::cli {

struct login_args {
  std::string username;
  std::string password_file;  ///< "-" = stdin, "" = ask
  std::string token_file;     ///< log in with a token or API key instead
  std::string code_file;      ///< of the second factor, when the login has one
};
messages::result<void> login(context& c, const login_args& args);
messages::result<void> logout(context& c);
messages::result<void> whoami(context& c);

/// One's own login sessions; ending all leaves the one in use.
messages::result<void> session_list(context& c);
messages::result<void> session_end(context& c, std::int64_t id, bool others);
/// Changes one's own password; all other sessions end.
messages::result<void>
password_change(context& c, const std::string& new_file, const std::string& old_file);

/// The second factor: shows the secret, asks for a first code. Recovery codes are printed once.
messages::result<void> two_factor_enable(context& c);
messages::result<void> two_factor_disable(context& c);
messages::result<void> two_factor_codes(context& c);

struct user_create_args {
  std::string username;
  std::string email;
  std::string password_file;
};
messages::result<void> user_create(context& c, const user_create_args& args);

}  // namespace slipway::cli
