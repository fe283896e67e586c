#include "gateways/api/accounts/api_keys.hpp"

#include "domain/access.hpp"
#include "domain/memberships.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/accounts/sessions.hpp"
#include "gateways/api/odata/date.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace slipway::gateways::api {

using domain::numbers::get;
using messages::as_int;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::field;
using messages::requester;
using messages::requester_kind;
using messages::result;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t key_length = 32;
constexpr std::size_t key_length_min = 16;
constexpr std::size_t key_length_max = 128;

/// Characters of UTF-8 text.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

/// The resource of an actor and its field for it.
std::pair<std::uint16_t, std::uint16_t> actor_of(entity_kind kind) {
  const auto& n = get();
  switch (kind) {
    case entity_kind::device:
      return {n.device.resource, n.device.actor};
    case entity_kind::fleet:
      return {n.application.resource, n.application.actor};
    default:
      return {n.user.resource, n.user.actor};
  }
}

result<void> check_text(const json& body, const char* name, std::size_t characters_max) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null()) {
    return {};
  }
  if (!it->is_string()) {
    return fail(errc::invalid_argument, "\"" + std::string(name) + "\" is not a text");
  }
  return characters(it->get_ref<const std::string&>()) <= characters_max
           ? result<void>{}
           : fail(
             errc::invalid_argument,
             "\"" + std::string(name) + "\" has more than " + std::to_string(characters_max)
               + " characters");
}

/// A key that the caller chose must be hard to guess and fit into a header.
result<void> check_chosen(std::string_view key) {
  const bool printable =
    std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  return key.size() >= key_length_min && key.size() <= key_length_max && printable
           ? result<void>{}
           : fail(errc::invalid_argument, "\"apiKey\" has 16 to 128 printable characters");
}

/// ISO 8601; ms since 1970, 0 = never. One that is past makes a key that is no good, as with other servers.
result<std::int64_t> read_expiry(const json& body) {
  const auto it = body.find("expiryDate");
  if (it == body.end() || it->is_null()) {
    return 0;
  }
  const auto at = it->is_string() ? odata::parse_date(it->get<std::string>()) : std::nullopt;
  return at ? result<std::int64_t>(*at)
            : fail(errc::invalid_argument, "\"expiryDate\" is not a date");
}

/// `{"readOnly": true, "organizations": [1], "applications": [2]}`. A member that is not known would be a limit that is not kept, and so
/// would an empty list.
result<messages::key_scope> read_scope(const json& body) {
  const auto it = body.find("scope");
  if (it == body.end() || it->is_null()) {
    return messages::key_scope{};
  }
  const auto wrong = fail(
    errc::invalid_argument,
    "\"scope\" has readOnly (true or false), organizations and applications (lists with an id or "
    "more)");
  if (!it->is_object()) {
    return wrong;
  }
  for (const auto& [name, value] : it->items()) {
    const bool ids = name == "organizations" || name == "applications";
    const bool list = value.is_array() && !value.empty()
                      && std::all_of(value.begin(), value.end(), [](const json& id) {
                           return id.is_number_integer();
                         });
    if (!(ids && list) && !(name == "readOnly" && value.is_boolean())) {
      return wrong;
    }
  }
  return domain::scope_of(messages::json_text{messages::dump_json(*it)});
}

/// 0 = without end.
result<std::int64_t> read_uses(const json& body) {
  const auto it = body.find("uses");
  if (it == body.end() || it->is_null()) {
    return 0;
  }
  const auto uses = it->is_number_integer() ? it->get<std::int64_t>() : 0;
  return uses > 0 ? result<std::int64_t>(uses)
                  : fail(errc::invalid_argument, "\"uses\" is a number of 1 or more");
}

entity_kind kind_of(std::string_view actor_type) {
  return actor_type == "application" ? entity_kind::fleet
         : actor_type == "device"    ? entity_kind::device
         : actor_type == "user"      ? entity_kind::user
                                     : entity_kind::none;
}

bool role_fits(entity_kind kind, std::string_view role) {
  switch (kind) {
    case entity_kind::fleet:
      return role == "provisioning-api-key";
    case entity_kind::device:
      return role == "device-api-key";
    default:
      return role == "named-user-api-key" || role == "user-api-key";
  }
}

/// Whose key the body of a generic request asks for. Errors: invalid_argument, not_found (an actor type or role there is none of).
result<entity_ref> read_actor(const json& body, bool date_needed) {
  const auto type = body.find("actorType");
  const auto id = body.find("actorTypeId");
  const auto roles = body.find("roles");
  const bool whole = type != body.end() && type->is_string() && id != body.end()
                     && id->is_number_integer() && roles != body.end() && roles->is_array()
                     && roles->size() == 1 && roles->front().is_string()
                     && (!date_needed || body.contains("expiryDate"));
  if (!whole) {
    return fail(
      errc::invalid_argument,
      date_needed ? "actorType, actorTypeId, roles with one member and expiryDate are required"
                  : "actorType, actorTypeId and roles with one member are required");
  }
  const auto kind = kind_of(type->get_ref<const std::string&>());
  if (kind == entity_kind::none) {
    return fail(errc::not_found, "unknown actorType");
  }
  if (!role_fits(kind, roles->front().get_ref<const std::string&>())) {
    return fail(errc::not_found, "no such role for this actorType");
  }
  return entity_ref{kind, id->get<std::int64_t>()};
}

/// Errors: not_found (nothing the requester may see), forbidden.
result<void> check_may_make(const services& s, const requester& by, entity_ref owner) {
  const auto view = s.store.rows->view();
  const domain::access rights(*s.model, by, *view);
  const auto& def = *s.model->find(actor_of(owner.kind).first);
  const auto row = view->get(def.number, owner.id);
  if (!row || !rights.may_see(def, *row)) {
    return fail(errc::not_found, "no such actor");
  }
  return rights.may_make_key(owner)
           ? result<void>{}
           : fail(errc::forbidden, "not permitted to make a key of this actor");
}

/// A device that asks again for the key it chose, after an answer that was lost, has it already.
bool is_key_of(const domain::row_source& rows, const std::string& secret, std::int64_t actor) {
  const auto& k = get().api_key;
  const std::array<messages::value, 1> hash{runtime::sha256_hex(secret)};
  const auto id = rows.first(k.resource, k.key, hash);
  const auto row = id ? rows.get(k.resource, *id) : std::nullopt;
  return row && as_int(field(*row, k.is_of__actor)) == actor;
}

/// A key outlives the session that makes it, so it takes a password that was given lately.
result<void> check_fresh(const services& s, const exchange& x) {
  const auto session = whole_session_of(s, x);
  if (!session) {
    return tl::unexpected(session.error());
  }
  return is_fresh(s, session->claims)
           ? result<void>{}
           : fail(errc::unauthorized, "this needs a login of the last 20 minutes");
}

}  // namespace

awaitable<result<std::string>>
create_key(const services& s, boost::asio::any_io_executor executor, new_key wanted) {
  const auto [resource, actor] = actor_of(wanted.owner.kind);
  const auto row = s.store.rows->view()->get(resource, wanted.owner.id);
  if (!row) {
    co_return fail(errc::not_found, "no such actor");
  }
  const auto secret =
    wanted.chosen.empty() ? runtime::random_token(key_length) : std::move(wanted.chosen);
  messages::add_key cmd;
  cmd.by = std::move(wanted.by);
  cmd.of_actor = as_int(field(*row, actor));
  cmd.key_hash = runtime::sha256_hex(secret);
  cmd.name = std::move(wanted.name);
  cmd.description = std::move(wanted.description);
  cmd.expires = wanted.expires;
  cmd.scope = std::move(wanted.scope);
  cmd.uses = wanted.uses;
  const auto of_actor = cmd.of_actor;
  const auto done = co_await s.ask->ask(std::move(executor), wanted.owner, std::move(cmd));
  const bool had_it = !done && done.error().code == errc::unique_violated
                      && is_key_of(*s.store.rows->view(), secret, of_actor);
  if (!done && !had_it) {
    co_return tl::unexpected(done.error());
  }
  co_return secret;
}

struct api_keys::request {
  json body;
  new_key key;
};

awaitable<result<api_keys::request>> api_keys::read(exchange& x) const {
  request r;
  auto by = requester_of(s(), x);
  if (!by || by->kind == requester_kind::guest) {
    co_return fail(errc::unauthorized, "login required");
  }
  r.key.by = std::move(*by);
  auto body = co_await read_object(x);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  r.body = std::move(*body);
  for (const auto& [name, most] :
       {std::pair("name", key_name_characters_max),
        std::pair("description", key_description_characters_max),
        std::pair("apiKey", key_length_max)}) {
    if (const auto ok = check_text(r.body, name, most); !ok) {
      co_return tl::unexpected(ok.error());
    }
  }
  r.key.name = text_of(r.body, "name");
  r.key.description = text_of(r.body, "description");
  const auto expires = read_expiry(r.body);
  if (!expires) {
    co_return tl::unexpected(expires.error());
  }
  r.key.expires = *expires;
  auto scope = read_scope(r.body);
  if (!scope) {
    co_return tl::unexpected(scope.error());
  }
  r.key.scope = std::move(*scope);
  const auto uses = read_uses(r.body);
  if (!uses) {
    co_return tl::unexpected(uses.error());
  }
  r.key.uses = *uses;
  co_return r;
}

awaitable<void> api_keys::make(exchange& x, request r) {
  const auto owner = r.key.owner;
  // Only a device chooses its key: it must be able to ask again after an answer that was lost.
  r.key.chosen = owner.kind == entity_kind::device ? text_of(r.body, "apiKey") : "";
  auto ok = r.key.chosen.empty() ? result<void>{} : check_chosen(r.key.chosen);
  if (ok) {
    ok = check_may_make(s(), r.key.by, owner);
  }
  if (ok && owner.kind == entity_kind::user) {
    ok = check_fresh(s(), x);
  }
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  auto made = co_await create_key(s(), x.executor(), std::move(r.key));
  auto answer =
    made ? response::json(200, messages::dump_json(*made)) : error_response(made.error());
  co_await x.respond(std::move(answer));
}

awaitable<void> api_keys::make_of(exchange& x, entity_ref owner) {
  auto w = co_await read(x);
  if (!w) {
    co_return co_await x.respond(error_response(w.error()));
  }
  w->key.owner = owner;
  co_await make(x, std::move(*w));
}

awaitable<void> api_keys::named_user_key(exchange& x) {
  auto w = co_await read(x);
  auto ok = w ? result<void>{} : result<void>(tl::unexpected(w.error()));
  if (ok && w->key.by.kind != requester_kind::user) {
    ok = fail(errc::unauthorized, "a user's login session is needed");
  }
  if (ok && w->key.by.by_key) {
    ok = fail(errc::unauthorized, "an API key makes no API keys of its user");
  }
  if (ok && w->key.name.empty()) {
    ok = fail(errc::invalid_argument, "\"name\" is required");
  }
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  w->key.owner = {entity_kind::user, w->key.by.id};
  co_await make(x, std::move(*w));
}

awaitable<void> api_keys::provisioning_key(exchange& x, std::int64_t application) {
  return make_of(x, {entity_kind::fleet, application});
}

awaitable<void> api_keys::device_key(exchange& x, std::int64_t device) {
  return make_of(x, {entity_kind::device, device});
}

awaitable<void> api_keys::generic_key(exchange& x) {
  auto w = co_await read(x);
  if (!w) {
    co_return co_await x.respond(error_response(w.error()));
  }
  const auto owner = read_actor(w->body, x.head().path.starts_with("/api-key/v2"));
  if (!owner) {
    co_return co_await x.respond(error_response(owner.error()));
  }
  w->key.owner = *owner;
  co_await make(x, std::move(*w));
}

awaitable<void> api_keys::legacy_user_key(exchange& x, std::int64_t application) {
  auto w = co_await read(x);
  auto ok = w ? result<void>{} : result<void>(tl::unexpected(w.error()));
  if (ok && w->key.by.kind != requester_kind::user) {
    ok = fail(errc::unauthorized, "a user's login session is needed");
  }
  if (ok) {
    ok = check_may_make(s(), w->key.by, {entity_kind::fleet, application});
  }
  if (!ok) {
    co_return co_await x.respond(error_response(ok.error()));
  }
  w->key.owner = {entity_kind::user, w->key.by.id};
  // It goes onto devices, so it is good for their fleet only.
  w->key.scope.fleets = {application};
  co_await make(x, std::move(*w));
}

}  // namespace slipway::gateways::api
