#pragma once

#include "gateways/api/accounts/logins.hpp"
#include "gateways/api/accounts/second_factors.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways::api {

/// `login --web` (balena-api.md 2.5): a page that asks for name, password and code, and makes the browser post the token to the command
/// line that waits on this machine. Works without JavaScript but for one click; the token is in no address.
class login_page {
public:
  login_page(desk& d, logins& l, second_factors& f) : desk_(d), logins_(l), factors_(f) {}

  /// GET /login/cli/:callback
  runtime::awaitable<void> show(runtime::exchange& x, std::string callback);
  /// POST /login/cli/:callback, a form
  runtime::awaitable<void> submit(runtime::exchange& x, std::string callback);

private:
  struct form;
  [[nodiscard]] runtime::awaitable<attempt<std::string>> token_for(
    runtime::exchange& x,
    const form& f);
  desk& desk_;
  logins& logins_;
  second_factors& factors_;
};

/// Where the token may be sent: `http://127.0.0.1:<port>/...` or the same of `localhost`, nowhere else. Takes the address as it stands in
/// the path, percent-encoded once more or not; nothing when it is another.
[[nodiscard]] std::optional<std::string> local_callback(std::string_view segment);

}  // namespace slipway::gateways::api
