#include "gateways/api/accounts/login_page.hpp"

#include "gateways/api/accounts/login_html.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways::api {

using messages::errc;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t form_bytes_max = 16'384;
constexpr std::size_t callback_bytes_max = 512;
constexpr std::string_view guard_cookie = "slipway_login=";
constexpr std::size_t guard_length = 32;

std::string guard_of(const exchange& x) {
  auto rest = x.header("cookie");
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const auto pair = runtime::trim_space(rest.substr(0, end));
    if (pair.starts_with(guard_cookie)) {
      return std::string(pair.substr(guard_cookie.size()));
    }
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  return "";
}

/// Was the form sent by a page of our own? Another site could otherwise log a visitor's command line in as somebody else.
bool is_our_form(const exchange& x, std::string_view guard) {
  const auto site = x.header("sec-fetch-site");
  if (!site.empty() && site != "same-origin") {
    return false;
  }
  const auto origin = x.header("origin");
  const auto host = origin.find("://");
  if (
    !origin.empty()
    && (host == std::string_view::npos || !runtime::iequals(origin.substr(host + 3), x.head().host_port))) {
    return false;
  }
  const auto cookie = guard_of(x);
  return cookie.size() == guard_length && runtime::equal_secret(cookie, guard);
}

void set_guard(response& r, const exchange& x, const std::string& guard) {
  r.headers.emplace_back(
    "Set-Cookie",
    std::string(guard_cookie) + guard + "; Path=/login/cli; Max-Age=3600; HttpOnly; SameSite=Strict"
      + (x.head().tls ? "; Secure" : ""));
}

}  // namespace

std::optional<std::string> local_callback(std::string_view segment) {
  std::string text(segment);
  // Clients encode it twice, and what lies between may have decoded it once.
  for (int i = 0; i < 3 && text.find('%') != std::string::npos && !text.starts_with("http://");
       ++i) {
    auto decoded = runtime::percent_decode(text);
    if (!decoded) {
      return std::nullopt;
    }
    text = std::move(*decoded);
  }
  std::string_view rest = text;
  if (rest.starts_with("http://127.0.0.1:")) {
    rest.remove_prefix(std::string_view("http://127.0.0.1:").size());
  } else if (rest.starts_with("http://localhost:")) {
    rest.remove_prefix(std::string_view("http://localhost:").size());
  } else {
    return std::nullopt;
  }
  const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  const auto path = rest.substr(digits);
  const bool port_ok =
    digits > 0 && digits <= 5 && std::stoi(std::string(rest.substr(0, digits))) <= 65'535;
  const bool path_ok =
    path.starts_with('/') && std::all_of(path.begin(), path.end(), [](char c) {
      return c > ' ' && c <= '~' && c != '"' && c != '<' && c != '>' && c != '\\' && c != ';';
    });
  return port_ok && path_ok && text.size() <= callback_bytes_max ? std::optional(text)
                                                                 : std::nullopt;
}

struct login_page::form {
  std::string username, password, pending, code, guard;
};

awaitable<void> login_page::show(exchange& x, std::string callback) {
  const auto target = local_callback(callback);
  if (!target) {
    co_return co_await x.respond(
      refused_page("Sessions are handed to a command line on this computer only."));
  }
  login_view v;
  v.callback = *target;
  v.guard = runtime::random_token(guard_length);
  auto page = password_page(200, v);
  set_guard(page, x, v.guard);
  co_await x.respond(std::move(page));
}

awaitable<attempt<std::string>> login_page::token_for(exchange& x, const form& f) {
  if (f.pending.empty()) {
    auto user = co_await desk_.log_in(x, f.username, f.password);
    if (!user) {
      co_return tl::unexpected(user.error());
    }
    auto token = co_await logins_.admit(x, std::move(*user));
    if (!token) {
      co_return tl::unexpected(attempt_refused{token.error(), 0});
    }
    co_return std::move(*token);
  }
  auto session = session_of_token(desk_.s(), f.pending);
  if (!session) {
    co_return tl::unexpected(attempt_refused{session.error(), 0});
  }
  co_return co_await factors_.pass(x, std::move(*session), f.code);
}

awaitable<void> login_page::submit(exchange& x, std::string callback) {
  const auto target = local_callback(callback);
  const auto body = co_await x.read_body(form_bytes_max);
  const auto fields = body ? runtime::parse_query(*body, 16) : std::nullopt;
  if (!target || !fields) {
    co_return co_await x.respond(refused_page("This is not the form of this page."));
  }
  const auto value = [&](std::string_view name) {
    return std::string(runtime::query_value(*fields, name).value_or(""));
  };
  const form f{
    value("username"),
    value("password"),
    value("pending"),
    value("code"),
    value("guard")};
  if (!is_our_form(x, f.guard)) {
    co_return co_await x.respond(refused_page("Open the page again from the command line."));
  }
  login_view v;
  v.callback = *target;
  v.username = f.username;
  v.guard = f.guard;
  v.pending = f.pending;
  auto token = co_await token_for(x, f);
  if (!token) {
    v.trouble = token.error().error.detail;
    const auto status = messages::http_status(token.error().error.code);
    auto again = f.pending.empty() ? password_page(status, v) : code_page(status, v);
    co_return co_await x.respond(std::move(again));
  }
  const auto now = desk_.s().now() / 1000;
  const auto claims = verify_session(desk_.s().authenticator->session_key(), *token, now);
  const bool owes = claims && claims->second_factor == second_factor::pending;
  (owes ? v.pending : v.token) = std::move(*token);
  auto page = owes ? code_page(200, v) : token_page(v);
  co_await x.respond(std::move(page));
}

}  // namespace slipway::gateways::api
