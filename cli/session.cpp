#include "cli/session.hpp"

#include "cli/terminal.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>

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
  if (auto kept = keep_token(c, *token); !kept) {
    return tl::unexpected(kept.error());
  }
  return work();
}

messages::result<void> keep_token(context& c, const std::string& token) {
  c.server.set_token(token);
  c.saved.logins[c.server.server()].token = token;
  return c.saved.save();
}

bool owes_code(const std::string& token) {
  const auto first = token.find('.');
  const auto second = first == std::string::npos ? first : token.find('.', first + 1);
  if (second == std::string::npos) {
    return false;
  }
  // The alphabet of tokens is base64url, without padding.
  auto middle = token.substr(first + 1, second - first - 1);
  std::replace(middle.begin(), middle.end(), '-', '+');
  std::replace(middle.begin(), middle.end(), '_', '/');
  middle.append((4 - middle.size() % 4) % 4, '=');
  const auto claims = messages::parse_json(runtime::base64_decode(middle));
  return claims && claims->is_object() && bool_of(*claims, "twoFactorRequired");
}

}  // namespace slipway::cli
