#include "gateways/api/accounts/desk.hpp"

#include "domain/numbers.hpp"
#include "gateways/counted_slot.hpp"
#include "gateways/registry/completion.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <array>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_text;
using messages::errc;
using messages::field;
using messages::result;
using messages::row;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;

namespace {

constexpr std::size_t login_name_bytes_max = 320;

attempt_limiter::limits address_limits() {
  attempt_limiter::limits l;
  l.tries_max = address_tries_max;
  return l;
}

}  // namespace

attempt_refused too_many_attempts(std::int64_t wait_ms) {
  return {
    {errc::too_many_requests, "too many failed attempts; try again later"},
    (wait_ms + 999) / 1000};
}

runtime::response refusal(const attempt_refused& r) {
  auto answer = error_response(r.error);
  if (r.retry_after_s > 0) {
    answer.headers.emplace_back("Retry-After", std::to_string(r.retry_after_s));
  }
  return answer;
}

std::optional<row> find_user(const domain::row_source& rows, std::string_view name) {
  const auto& u = get().user;
  const auto number = name.find('@') == std::string_view::npos ? u.username_key : u.email_key;
  const std::array<messages::value, 1> key{runtime::ascii_lower(name)};
  const auto id = rows.first(u.resource, number, key);
  return id ? rows.get(u.resource, *id) : std::nullopt;
}

std::string attempts_at(const row& user) {
  return "user " + std::to_string(messages::id_of(user));
}

awaitable<result<json>> read_object(exchange& x) {
  auto body = co_await x.read_body(json_body_bytes_max);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  if (body->empty()) {
    co_return json::object();
  }
  auto j = messages::parse_json(*body);
  if (!j) {
    co_return tl::unexpected(j.error());
  }
  if (!j->is_object()) {
    co_return messages::fail(errc::invalid_argument, "the body is not a JSON object");
  }
  co_return std::move(*j);
}

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

messages::requester platform_for(std::int64_t actor) {
  messages::requester by;
  by.kind = messages::requester_kind::platform;
  by.actor = actor;
  return by;
}

desk::desk(std::shared_ptr<const services> s)
  : s_(std::move(s)), secrets_({}), addresses_(address_limits()) {}

std::int64_t desk::begin_attempt(const std::string& what, const exchange& x) {
  const auto now = s_->now();
  const auto address = limited_address(x.head().peer);
  const auto for_address = address.empty() ? 0 : addresses_.begin(address, now);
  return for_address > 0 ? for_address : secrets_.begin(what, now);
}

void desk::forgive(const std::string& what, const exchange& x) {
  secrets_.forget(what);
  const auto address = limited_address(x.head().peer);
  if (!address.empty()) {
    addresses_.take_back(address);
  }
}

void desk::unlock(const row& user) {
  const auto& u = get().user;
  secrets_.forget(attempts_at(user));
  secrets_.forget("code " + std::to_string(messages::id_of(user)));
  for (const auto number : {u.username_key, u.email_key}) {
    secrets_.forget("name " + as_text(field(user, number)));
  }
}

awaitable<attempt<bool>> desk::matches(std::string hash, std::string password) {
  const counted_slot place(hashing_, hashes_waiting_max);
  if (!place) {
    co_return tl::unexpected(
      attempt_refused{{errc::too_many_requests, "too many logins at once"}, 1});
  }
  // Takes 0.1 s, so on the slow pool.
  std::function<bool()> verify = [hash = std::move(hash), password = std::move(password)] {
    return runtime::verify_password(hash, password);
  };
  const bool right = co_await run_on(*s_->slow, std::move(verify));
  co_return right;
}

awaitable<attempt<void>>
desk::check(exchange& x, std::string what, std::string hash, std::string password) {
  if (const auto ms = begin_attempt(what, x); ms > 0) {
    co_return tl::unexpected(too_many_attempts(ms));
  }
  auto right = co_await matches(std::move(hash), std::move(password));
  if (!right) {
    // It was not tried.
    secrets_.take_back(what);
    if (const auto address = limited_address(x.head().peer); !address.empty()) {
      addresses_.take_back(address);
    }
    co_return tl::unexpected(right.error());
  }
  if (!*right) {
    co_return tl::unexpected(
      attempt_refused{{errc::unauthorized, "wrong user name or password"}, 0});
  }
  forgive(what, x);
  co_return attempt<void>{};
}

awaitable<attempt<row>> desk::log_in(exchange& x, std::string name, std::string password) {
  if (
    name.empty() || name.size() > login_name_bytes_max || password.empty()
    || password.size() > password_bytes_max) {
    co_return tl::unexpected(
      attempt_refused{{errc::unauthorized, "user name and password are needed"}, 0});
  }
  static const auto nobody = runtime::hash_password(runtime::random_token(32));
  const auto user = find_user(*s_->store.rows->view(), name);
  auto hash = user ? as_text(field(*user, get().user.password)) : nobody;
  auto ok =
    co_await check(x, "name " + runtime::ascii_lower(name), std::move(hash), std::move(password));
  if (!ok) {
    co_return tl::unexpected(ok.error());
  }
  if (!user) {
    co_return tl::unexpected(
      attempt_refused{{errc::unauthorized, "wrong user name or password"}, 0});
  }
  co_return *user;
}

awaitable<attempt<void>> desk::confirm(exchange& x, row user, std::string password) {
  if (password.empty() || password.size() > password_bytes_max) {
    co_return tl::unexpected(attempt_refused{{errc::unauthorized, "the password is needed"}, 0});
  }
  auto ok = co_await check(
    x,
    attempts_at(user),
    as_text(field(user, get().user.password)),
    std::move(password));
  if (!ok && ok.error().error.code == errc::unauthorized) {
    ok.error().error.detail = "wrong password";
  }
  co_return ok;
}

awaitable<result<std::string>> desk::hash(std::string password) {
  if (password.size() < password_bytes_min || password.size() > password_bytes_max) {
    co_return messages::fail(errc::rule_violated, "a password has 8 to 1024 characters.");
  }
  const counted_slot place(hashing_, hashes_waiting_max);
  if (!place) {
    co_return messages::fail(errc::too_many_requests, "too many passwords at once");
  }
  std::function<std::string()> make = [password = std::move(password)] {
    return runtime::hash_password(password);
  };
  auto made = co_await run_on(*s_->slow, std::move(make));
  co_return made;
}

}  // namespace slipway::gateways::api
