#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

struct login_args {
  std::string username;
  std::string password_file;  ///< "-" = stdin, "" = ask
  std::string token_file;     ///< log in with a token or API key instead
};
messages::result<void> login(context& c, const login_args& args);
messages::result<void> logout(context& c);
messages::result<void> whoami(context& c);

struct user_create_args {
  std::string username;
  std::string email;
  std::string password_file;
};
messages::result<void> user_create(context& c, const user_create_args& args);

}  // namespace slipway::cli
