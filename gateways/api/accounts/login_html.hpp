#pragma once

#include "runtime/http_server.hpp"

#include <string>
#include <string_view>

namespace slipway::gateways::api {

/// Text for an element or a quoted attribute.
[[nodiscard]] std::string html_escape(std::string_view text);

/// What the pages of `login --web` show. All texts are escaped here.
struct login_view {
  std::string callback;  ///< checked; the one address besides our own that a form may go to
  std::string trouble;   ///< what went wrong, "" = nothing
  std::string username;  ///< filled in again
  std::string guard;     ///< goes back with the form
  std::string pending;   ///< token of a login that owes its code
  std::string token;
};

[[nodiscard]] runtime::response password_page(int status, const login_view& v);
[[nodiscard]] runtime::response code_page(int status, const login_view& v);
/// Posts the token to the callback, by itself where scripts run.
[[nodiscard]] runtime::response token_page(const login_view& v);
[[nodiscard]] runtime::response refused_page(std::string_view why);

}  // namespace slipway::gateways::api
