#include "cli/session.hpp"

#include "cli/terminal.hpp"

namespace slipway::cli {

using messages::errc;

messages::result<std::string> with_fresh_login(
  context& c,
  const std::function<messages::result<std::string>()>& work) {
  auto done = work();
  if (done || done.error().code != errc::unauthorized) {
    return done;
  }
  const auto password = ask("this needs your password again", true);
  if (!password) {
    return done;
  }
  const auto token = c.server.post_text("/user/v1/refresh-token", {{"password", *password}});
  if (!token) {
    return token;
  }
  c.server.set_token(*token);
  auto& saved = c.saved.logins[c.server.server()];
  saved.token = *token;
  if (auto kept = c.saved.save(); !kept) {
    return tl::unexpected(kept.error());
  }
  return work();
}

}  // namespace slipway::cli
