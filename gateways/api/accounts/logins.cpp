#include "gateways/api/accounts/logins.hpp"

#include "domain/numbers.hpp"
#include "gateways/api/removal.hpp"
#include "messages/json.hpp"

#include <array>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::field;
using messages::result;
using messages::row;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

awaitable<void> respond_token(exchange& x, result<std::string> token) {
  auto answer = token ? response::text(200, std::move(*token)) : error_response(token.error());
  answer.headers.emplace_back("Cache-Control", "no-store");
  co_await x.respond(std::move(answer));
}

bool is_text_or_absent(const json& body, const char* name) {
  const auto it = body.find(name);
  return it == body.end() || it->is_null() || it->is_string();
}

json session_json(const row& session, std::int64_t asking) {
  const auto& n = get().login_session;
  return {
    {"id", messages::id_of(session)},
    {"created_at", as_int(field(session, 1))},
    {"authenticated_at", as_int(field(session, n.authenticated_at))},
    {"expires_at", as_int(field(session, n.expires_at))},
    {"client", as_text(field(session, n.client))},
    {"address", as_text(field(session, n.address))},
    {"current", messages::id_of(session) == asking}};
}

}  // namespace

awaitable<attempt<live_session>> fresh_session_of(desk& d, exchange& x, std::string password) {
  auto session = whole_session_of(d.s(), x);
  if (!session) {
    co_return tl::unexpected(attempt_refused{session.error(), 0});
  }
  if (!password.empty()) {
    auto right = co_await d.confirm(x, session->user, std::move(password));
    if (!right) {
      co_return tl::unexpected(right.error());
    }
    session->claims.auth_time = d.s().now();
  }
  if (!is_fresh(d.s(), session->claims)) {
    const messages::error stale{
      errc::unauthorized,
      "give the password again: this needs a login of the last 20 minutes"};
    co_return tl::unexpected(attempt_refused{stale, 0});
  }
  co_return std::move(*session);
}

awaitable<result<std::string>> logins::admit(exchange& x, row user) {
  const auto now = s().now();
  if (as_bool(field(user, get().user.has_two_factor_enabled))) {
    co_return pending_token(s(), user, now);
  }
  co_return co_await open_session(s(), x, std::move(user), now, second_factor::none);
}

awaitable<void> logins::login(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  if (!is_text_or_absent(*body, "username") || !is_text_or_absent(*body, "password")) {
    co_return co_await x.respond(
      error_response(errc::invalid_argument, "\"username\" and \"password\" are texts"));
  }
  auto user = co_await desk_.log_in(x, text_of(*body, "username"), text_of(*body, "password"));
  if (!user) {
    co_return co_await x.respond(refusal(user.error()));
  }
  auto token = co_await admit(x, std::move(*user));
  co_await respond_token(x, std::move(token));
}

awaitable<void> logins::refresh(exchange& x) {
  auto session = whole_session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  auto token = co_await renew_session(s(), x, std::move(*session));
  co_await respond_token(x, std::move(token));
}

awaitable<void> logins::refresh_with_password(exchange& x) {
  auto session = whole_session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  auto right = co_await desk_.confirm(x, session->user, text_of(*body, "password"));
  if (!right) {
    co_return co_await x.respond(refusal(right.error()));
  }
  session->claims.auth_time = s().now();
  auto token = co_await renew_session(s(), x, std::move(*session));
  co_await respond_token(x, std::move(token));
}

awaitable<void> logins::change_password(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  auto session = co_await fresh_session_of(desk_, x, text_of(*body, "currentPassword"));
  if (!session) {
    co_return co_await x.respond(refusal(session.error()));
  }
  auto hash = co_await desk_.hash(text_of(*body, "password"));
  if (!hash) {
    co_return co_await x.respond(error_response(hash.error()));
  }
  std::vector<messages::field_value> values{{get().user.password, std::move(*hash)}};
  const auto done = co_await change_user(s(), x, session->user, std::move(values));
  if (!done) {
    co_return co_await x.respond(error_response(done.error()));
  }
  // The change ended every session, this one too; its user goes on in a new one.
  auto user = s().store.rows->view()->get(get().user.resource, session->claims.user);
  if (!user) {
    co_return co_await x.respond(error_response(errc::unauthorized, "no such user"));
  }
  auto token = co_await open_session(
    s(),
    x,
    std::move(*user),
    session->claims.auth_time,
    session->claims.second_factor);
  co_await respond_token(x, std::move(token));
}

awaitable<void> logins::remove_account(exchange& x) {
  const auto body = co_await read_object(x);
  if (!body) {
    co_return co_await x.respond(error_response(body.error()));
  }
  const auto session = co_await fresh_session_of(desk_, x, text_of(*body, "password"));
  if (!session) {
    co_return co_await x.respond(refusal(session.error()));
  }
  // No rule of the model lets a user remove one, even himself.
  auto by = platform_for(as_int(field(session->user, get().user.actor)));
  const auto done = co_await remove_row(
    s(),
    x.executor(),
    std::move(by),
    get().user.resource,
    messages::id_of(session->user));
  auto answer = done ? empty_response(200) : error_response(done.error());
  co_await x.respond(std::move(answer));
}

awaitable<void> logins::list_sessions(exchange& x) {
  const auto session = whole_session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  const auto& n = get().login_session;
  json out = json::array();
  {
    const auto view = s().store.rows->view();
    const std::array<messages::value, 1> key{session->claims.user};
    for (const auto id : view->all(n.resource, n.user, key)) {
      const auto r = view->get(n.resource, id);
      if (r && as_int(field(*r, n.expires_at)) > s().now()) {
        out.push_back(session_json(*r, session->claims.session));
      }
    }
  }
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> logins::end_session(exchange& x, std::int64_t id) {
  const auto session = whole_session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  const auto& n = get().login_session;
  const auto found = s().store.rows->view()->get(n.resource, id);
  if (!found || as_int(field(*found, n.user)) != session->claims.user) {
    co_return co_await x.respond(error_response(errc::not_found, "no such session"));
  }
  messages::remove_row cmd;
  cmd.by = platform_for(as_int(field(session->user, get().user.actor)));
  cmd.resource = n.resource;
  cmd.id = id;
  const entity_ref entity{entity_kind::user, session->claims.user};
  const auto done = co_await s().ask->ask(x.executor(), entity, std::move(cmd));
  const bool gone = done || done.error().code == errc::not_found;
  auto answer = gone ? empty_response(200) : error_response(done.error());
  co_await x.respond(std::move(answer));
}

awaitable<void> logins::end_other_sessions(exchange& x) {
  const auto session = whole_session_of(s(), x);
  if (!session) {
    co_return co_await x.respond(error_response(session.error()));
  }
  const auto& n = get().login_session;
  const std::array<messages::value, 1> key{session->claims.user};
  const auto ids = s().store.rows->view()->all(n.resource, n.user, key);
  messages::remove_row cmd;
  cmd.by = platform_for(as_int(field(session->user, get().user.actor)));
  cmd.resource = n.resource;
  const entity_ref entity{entity_kind::user, session->claims.user};
  for (const auto id : ids) {
    if (id == session->claims.session) {
      continue;
    }
    cmd.id = id;
    const auto done = co_await s().ask->ask(x.executor(), entity, cmd);
    if (!done && done.error().code != errc::not_found) {
      co_return co_await x.respond(error_response(done.error()));
    }
  }
  co_await x.respond(empty_response(200));
}

}  // namespace slipway::gateways::api
