#include "gateways/api/accounts/sessions.hpp"

#include "domain/numbers.hpp"
#include "gateways/api/accounts/desk.hpp"
#include "runtime/crypto.hpp"

#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::field;
using messages::field_value;
using messages::result;
using messages::row;
using runtime::awaitable;
using runtime::exchange;

namespace {

constexpr std::size_t client_bytes_max = 200;

std::string client_of(const exchange& x) {
  const auto balena = x.header("x-balena-client");
  auto name = std::string(balena.empty() ? x.header("user-agent") : balena);
  name.resize(std::min(name.size(), client_bytes_max));
  for (auto& c : name) {
    c = c >= ' ' && c <= '~' ? c : '?';  // it is shown on terminals
  }
  return name;
}

std::string mint(
  const services& s,
  const row& user,
  std::int64_t session,
  std::int64_t auth_time,
  second_factor factor,
  std::int64_t seconds) {
  session_claims c;
  c.user = messages::id_of(user);
  c.secret = as_text(field(user, get().user.jwt_secret));
  c.auth_time = auth_time;
  c.issued = s.now() / 1000;
  c.expires = c.issued + seconds;
  c.session = session;
  c.second_factor = factor;
  return mint_session(s.authenticator->session_key(), c);
}

}  // namespace

result<live_session> session_of(const services& s, const exchange& x) {
  return session_of_token(s, authenticator::secret_of(x.header("authorization"), x.head().query));
}

result<live_session> session_of_token(const services& s, std::string_view token) {
  auto claims = verify_session(s.authenticator->session_key(), token, s.now() / 1000);
  if (!claims) {
    return messages::fail(errc::unauthorized, "a login session is needed");
  }
  const auto view = s.store.rows->view();
  const auto user = view->get(get().user.resource, claims->user);
  const bool live =
    user && runtime::equal_secret(as_text(field(*user, get().user.jwt_secret)), claims->secret)
    && (claims->second_factor == second_factor::pending
        || view->get(get().login_session.resource, claims->session));
  if (!live) {
    return messages::fail(errc::unauthorized, "the session is over");
  }
  return live_session{std::move(*claims), *user};
}

result<live_session> whole_session_of(const services& s, const exchange& x) {
  auto found = session_of(s, x);
  if (found && found->claims.second_factor == second_factor::pending) {
    return messages::fail(errc::unauthorized, "the second factor is needed");
  }
  return found;
}

bool is_fresh(const services& s, const session_claims& claims) {
  return claims.auth_time + fresh_login_ms > s.now();
}

awaitable<result<std::string>> open_session(
  const services& s,
  exchange& x,
  row user,
  std::int64_t auth_time,
  second_factor factor) {
  const auto& n = get().login_session;
  messages::create_row cmd;
  cmd.by = platform_for(as_int(field(user, get().user.actor)));
  cmd.resource = n.resource;
  cmd.values = {
    {n.user, messages::id_of(user)},
    {n.authenticated_at, auth_time},
    {n.expires_at, s.now() + session_seconds * 1000},
    {n.client, client_of(x)},
    {n.address, x.head().peer}};
  const entity_ref entity{entity_kind::user, messages::id_of(user)};
  const auto done = co_await s.ask->ask(x.executor(), entity, std::move(cmd));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return mint(s, user, done->answer, auth_time, factor, session_seconds);
}

awaitable<result<std::string>> renew_session(const services& s, exchange& x, live_session session) {
  const auto& n = get().login_session;
  const auto& claims = session.claims;
  messages::change_row cmd;
  cmd.by = platform_for(as_int(field(session.user, get().user.actor)));
  cmd.resource = n.resource;
  cmd.id = claims.session;
  cmd.values = {
    {n.authenticated_at, claims.auth_time},
    {n.expires_at, s.now() + session_seconds * 1000}};
  const entity_ref entity{entity_kind::user, claims.user};
  const auto done = co_await s.ask->ask(x.executor(), entity, std::move(cmd));
  if (!done && done.error().code == errc::not_found) {
    co_return messages::fail(errc::unauthorized, "the session is over");
  }
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return mint(
    s,
    session.user,
    claims.session,
    claims.auth_time,
    claims.second_factor,
    session_seconds);
}

std::string pending_token(const services& s, const row& user, std::int64_t auth_time) {
  return mint(s, user, 0, auth_time, second_factor::pending, pending_session_seconds);
}

awaitable<result<void>>
change_user(const services& s, exchange& x, row user, std::vector<field_value> values) {
  messages::change_row cmd;
  cmd.by = platform_for(as_int(field(user, get().user.actor)));
  cmd.resource = get().user.resource;
  cmd.id = messages::id_of(user);
  cmd.values = std::move(values);
  const entity_ref entity{entity_kind::user, cmd.id};
  const auto done = co_await s.ask->ask(x.executor(), entity, std::move(cmd));
  if (!done) {
    co_return tl::unexpected(done.error());
  }
  co_return result<void>{};
}

}  // namespace slipway::gateways::api
