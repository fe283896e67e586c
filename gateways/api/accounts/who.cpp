#include "gateways/api/accounts/who.hpp"

#include "domain/access.hpp"
#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/accounts/desk.hpp"
#include "gateways/api/accounts/sessions.hpp"
#include "messages/json.hpp"

#include <array>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::result;
using messages::row;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

json or_null(std::string text) {
  return text.empty() ? json(nullptr) : json(std::move(text));
}

/// May this requester read the SSH keys of that user?
bool may_read_keys(
  const services& s,
  const domain::row_source& rows,
  const requester& by,
  const row& user) {
  if (by.kind == requester_kind::platform) {
    return true;
  }
  if (by.kind == requester_kind::user) {
    return by.id == messages::id_of(user) || by.administrator;
  }
  if (by.kind != requester_kind::device) {
    return false;
  }
  const auto device = rows.get(get().device.resource, by.id);
  const auto other = domain::requester_of_user(rows, messages::id_of(user));
  if (!device || !other) {
    return false;
  }
  const domain::access rights(*s.model, *other, rows);
  return rights.may_do(domain::action::tunnel, *s.model->find(get().device.resource), *device);
}

/// One key per line.
std::string keys_of(const domain::row_source& rows, std::int64_t user) {
  const auto& k = get().user_public_key;
  const std::array<messages::value, 1> key{user};
  std::string out;
  for (const auto id : rows.all(k.resource, k.user, key)) {
    const auto r = rows.get(k.resource, id);
    auto line = r ? as_text(field(*r, k.public_key)) : "";
    while (line.ends_with('\n') || line.ends_with('\r')) {
      line.pop_back();
    }
    out += line + (line.empty() ? "" : "\n");
  }
  return out;
}

}  // namespace

result<requester> who::requester_or_pending(const exchange& x) const {
  auto by = requester_of(*s_, x);
  if (by) {
    return by;
  }
  const auto session = session_of(*s_, x);
  if (!session) {
    return by;
  }
  requester pending;
  pending.kind = requester_kind::user;
  pending.id = session->claims.user;
  pending.actor = as_int(field(session->user, get().user.actor));
  return pending;
}

awaitable<void> who::actor(exchange& x) {
  const auto by = requester_or_pending(x);
  if (!by || by->kind == requester_kind::guest) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  const auto& n = get();
  json out{{"id", by->actor}, {"actorTypeId", by->id}};
  {
    const auto view = s_->store.rows->view();
    if (by->kind == requester_kind::user) {
      const auto user = view->get(n.user.resource, by->id);
      out["actorType"] = "user";
      out["username"] = user ? as_text(field(*user, n.user.username)) : "";
      out["email"] = or_null(user ? as_text(field(*user, n.user.email)) : "");
    } else if (by->kind == requester_kind::fleet) {
      const auto fleet = view->get(n.application.resource, by->id);
      out["actorType"] = "application";
      out["slug"] = fleet ? as_text(field(*fleet, n.application.slug)) : "";
    } else {
      const auto device = view->get(n.device.resource, by->id);
      out["actorType"] = "device";
      out["uuid"] = device ? as_text(field(*device, n.device.uuid)) : "";
    }
  }
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> who::user(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto found = by && by->kind == requester_kind::user
                       ? s_->store.rows->view()->get(get().user.resource, by->id)
                       : std::nullopt;
  if (!found) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  const json out{
    {"id", by->id},
    {"username", as_text(field(*found, get().user.username))},
    {"email", or_null(as_text(field(*found, get().user.email)))}};
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> who::public_keys(exchange& x, std::string username) {
  const auto by = requester_of(*s_, x);
  if (!by || by->kind == requester_kind::guest) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  std::string keys;
  {
    const auto view = s_->store.rows->view();
    const auto user = find_user(*view, username);
    if (user && may_read_keys(*s_, *view, *by, *user)) {
      keys = keys_of(*view, messages::id_of(*user));
    }
  }
  co_await x.respond(response::text(200, std::move(keys)));
}

}  // namespace slipway::gateways::api
