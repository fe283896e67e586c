#include "gateways/api/accounts/second_factors.hpp"

#include "domain/login_rules.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/accounts/logins.hpp"
#include "gateways/login/totp.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::field;
using messages::field_value;
using messages::result;
using messages::row;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t code_bytes_max = 64;
constexpr int recovery_codes = 10;
/// 80 bits: nothing that could be tried out, even by who has the hashes.
constexpr std::size_t recovery_code_bytes = 10;

bool enabled(const row& user) {
  return as_bool(field(user, get().user.has_two_factor_enabled));
}

/// Letters and digits in capitals: people type them with and without dashes.
std::string plain(std::string_view code) {
  std::string out;
  for (const char c : code) {
    if (c >= 'a' && c <= 'z') {
      out += static_cast<char>(c - 'a' + 'A');
    } else if (c != '-' && c != ' ') {
      out += c;
    }
  }
  return out;
}

std::string recovery_hash(std::string_view code) {
  return runtime::sha256_hex(plain(code));
}

/// `ABCD-EFGH-IJKL-MNOP`
std::string make_recovery_code() {
  const auto text = base32(runtime::random_bytes(recovery_code_bytes));
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    out += (i == 0 ? "" : "-") + text.substr(i, 4);
  }
  return out;
}

response secret_text(std::string text) {
  auto r = response::text(200, std::move(text));
  r.headers.emplace_back("Cache-Control", "no-store");
  return r;
}

response secret_json(const json& j) {
  auto r = response::json(200, messages::dump_json(j));
  r.headers.emplace_back("Cache-Control", "no-store");
  return r;
}

attempt_refused refused(messages::error e) {
  return {std::move(e), 0};
}

}  // namespace

awaitable<void> second_factors::setup(exchange& x) {
  const auto session = co_await fresh_session_of(desk_, x, "");
  if (!session) {
    co_return co_await x.respond(refusal(session.error()));
  }
  if (enabled(session->user)) {
    co_return co_await x.respond(
      error_response(errc::rule_violated, "two-factor login is on; disable it first"));
  }
  const auto secret = base32(runtime::random_bytes(totp_secret_bytes));
  const auto& u = get().user;
  std::vector<field_value> values{
    {u.two_factor_secret, secret},
    {u.two_factor_last_step, messages::null{}}};
  const auto done = co_await change_user(s(), x, session->user, std::move(values));
  if (!done) {
    co_return co_await x.respond(error_response(done.error()));
  }
  const auto account = as_text(field(session->user, u.username)) + "@" + std::string(x.head().host);
  const json both{{"secret", secret}, {"uri", otpauth_uri("Slipway", account, secret)}};
  const bool as_json = x.header("accept").find("application/json") != std::string_view::npos;
  auto answer = as_json ? secret_json(both) : secret_text(secret);
  co_await x.respond(std::move(answer));
}

awaitable<result<void>> second_factors::use_code(exchange& x, row user, std::string code) {
  const auto& u = get().user;
  const auto step = totp_step_of(
    as_text(field(user, u.two_factor_secret)),
    code,
    s().now(),
    as_int(field(user, u.two_factor_last_step), -1));
  if (!step) {
    co_return messages::fail(errc::unauthorized, "wrong code");
  }
  std::vector<field_value> values{{u.two_factor_last_step, *step}};
  if (!enabled(user)) {
    values.push_back({u.has_two_factor_enabled, true});
  }
  // The user's entity refuses a step that is not above the last one: of two uses of a code at once one comes second.
  auto done = co_await change_user(s(), x, std::move(user), std::move(values));
  if (!done && done.error().code == errc::rule_violated) {
    done = messages::fail(errc::unauthorized, "the code was used");
  }
  co_return done;
}

awaitable<result<void>> second_factors::use_recovery_code(exchange& x, row user, std::string code) {
  const auto& u = get().user;
  const auto left = domain::without_recovery_code(
    as_text(field(user, u.two_factor_recovery_codes)),
    recovery_hash(code));
  if (!left) {
    co_return messages::fail(errc::unauthorized, "wrong code");
  }
  std::vector<field_value> values{{u.two_factor_recovery_codes, *left}};
  auto done = co_await change_user(s(), x, std::move(user), std::move(values));
  if (!done && done.error().code == errc::rule_violated) {
    done = messages::fail(errc::unauthorized, "the code was used");
  }
  co_return done;
}

awaitable<attempt<std::string>>
second_factors::pass(exchange& x, live_session session, std::string code) {
  const auto& user = session.user;
  const bool pending = session.claims.second_factor == second_factor::pending;
  const bool set_up = !as_text(field(user, get().user.two_factor_secret)).empty();
  if (!set_up || (pending && !enabled(user)) || code.empty() || code.size() > code_bytes_max) {
    co_return tl::unexpected(refused({errc::unauthorized, "wrong code"}));
  }
  const auto what = "code " + std::to_string(session.claims.user);
  if (const auto ms = desk_.begin_attempt(what, x); ms > 0) {
    co_return tl::unexpected(too_many_attempts(ms));
  }
  const bool recovery = plain(code).size() > totp_digits && enabled(user);
  result<void> used;
  if (recovery) {
    used = co_await use_recovery_code(x, user, std::move(code));
  } else {
    used = co_await use_code(x, user, std::move(code));
  }
  if (!used) {
    co_return tl::unexpected(refused(used.error()));
  }
  desk_.forgive(what, x);
  const auto auth_time = session.claims.auth_time;
  result<std::string> token;
  if (pending) {
    token = co_await open_session(s(), x, session.user, auth_time, second_factor::passed);
  } else {
    session.claims.second_factor = second_factor::passed;
    token = co_await renew_session(s(), x, std::move(session));
  }
  if (!token) {
    co_return tl::unexpected(refused(token.error()));
  }
  co_return std::move(*token);
}

awaitable<void> second_factors::verify(exchange& x) {
  auto session = session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  // Some clients send the code as a number, which has lost its leading zeros.
  auto code = text_of(*body, "code");
  if (const auto it = body->find("code"); it != body->end() && it->is_number_unsigned()) {
    code = std::to_string(it->get<std::uint64_t>());
    code.insert(0, code.size() < totp_digits ? totp_digits - code.size() : 0, '0');
  }
  auto token = co_await pass(x, std::move(*session), std::move(code));
  auto answer = token ? secret_text(std::move(*token)) : refusal(token.error());
  co_await x.respond(std::move(answer));
}

awaitable<void> second_factors::disable(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  auto session = co_await fresh_session_of(desk_, x, text_of(*body, "password"));
  if (!session) {
    co_return co_await x.respond(refusal(session.error()));
  }
  const auto done = co_await change_user(s(), x, session->user, domain::without_second_factor());
  if (!done) {
    co_return co_await x.respond(error_response(done.error()));
  }
  session->claims.second_factor = second_factor::none;
  auto token = co_await renew_session(s(), x, std::move(*session));
  auto answer = token ? secret_text(std::move(*token)) : error_response(token.error());
  co_await x.respond(std::move(answer));
}

awaitable<void> second_factors::make_recovery_codes(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  const auto session = co_await fresh_session_of(desk_, x, text_of(*body, "password"));
  if (!session) {
    co_return co_await x.respond(refusal(session.error()));
  }
  if (!enabled(session->user)) {
    co_return co_await x.respond(
      error_response(errc::rule_violated, "two-factor login is not enabled"));
  }
  json shown = json::array();
  std::string kept;
  for (int i = 0; i < recovery_codes; ++i) {
    const auto code = make_recovery_code();
    shown.push_back(code);
    kept += (i == 0 ? "" : " ") + recovery_hash(code);
  }
  std::vector<field_value> values{{get().user.two_factor_recovery_codes, std::move(kept)}};
  const auto done = co_await change_user(s(), x, session->user, std::move(values));
  auto answer = done ? secret_json(shown) : error_response(done.error());
  co_await x.respond(std::move(answer));
}

}  // namespace slipway::gateways::api
