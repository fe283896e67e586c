#include "runtime/server/admin_office.hpp"

#include "domain/access.hpp"
#include "domain/login_rules.hpp"
#include "domain/numbers.hpp"
#include "domain/removal.hpp"
#include "domain/rules.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/server/builder_office.hpp"

#include <array>
#include <map>
#include <string>
#include <utility>

namespace slipway::runtime {

using domain::numbers::get;
using messages::appended;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::field;
using messages::field_value;
using messages::result;
using messages::row;
using nlohmann::json;

namespace {

constexpr std::size_t made_up_password_length = 20;
constexpr std::size_t password_bytes_min = 8;
constexpr std::size_t password_bytes_max = 1024;

std::string text(const json& request, const char* name) {
  const auto it = request.find(name);
  return it != request.end() && it->is_string() ? it->get<std::string>() : "";
}

bool flag(const json& request, const char* name) {
  const auto it = request.find(name);
  return it != request.end() && it->is_boolean() && it->get<bool>();
}

messages::requester platform() {
  messages::requester by;
  by.kind = messages::requester_kind::platform;
  return by;
}

json or_null(std::string value) {
  return value.empty() ? json(nullptr) : json(std::move(value));
}

std::size_t count(
  const domain::row_source& rows,
  std::uint16_t resource,
  std::uint16_t index,
  std::int64_t id) {
  const std::array<messages::value, 1> key{id};
  std::size_t n = 0;
  rows.lookup(resource, index, key, [&n](std::int64_t) {
    ++n;
    return true;
  });
  return n;
}

result<row> user_named(const admin_port& port, const json& request) {
  const auto name = text(request, "user");
  const auto& u = get().user;
  const auto view = port.store.rows->view();
  const std::array<messages::value, 1> key{domain::name_key(name)};
  const auto id = view->first(
    u.resource,
    name.find('@') == std::string::npos ? u.username_key : u.email_key,
    key);
  auto found = id ? view->get(u.resource, *id) : std::nullopt;
  return found ? result<row>(std::move(*found)) : fail(errc::not_found, "there is no user " + name);
}

/// A given password, or one that is made up.
struct new_password {
  std::string text, hash;
  bool made_up = false;
};

result<new_password> password_of(const json& request) {
  new_password p;
  p.text = text(request, "password");
  p.made_up = p.text.empty();
  if (p.made_up) {
    p.text = random_token(made_up_password_length);
  }
  if (p.text.size() < password_bytes_min || p.text.size() > password_bytes_max) {
    return fail(errc::rule_violated, "a password has 8 to 1024 characters");
  }
  p.hash = hash_password(p.text);
  return p;
}

json with_password(json answer, const new_password& p) {
  if (p.made_up) {
    answer["password"] = p.text;
  }
  return answer;
}

result<void> change_user(const admin_port& port, const row& user, std::vector<field_value> values) {
  messages::change_row cmd;
  cmd.by = platform();
  cmd.resource = get().user.resource;
  cmd.id = messages::id_of(user);
  cmd.values = std::move(values);
  const auto done = port.ask({entity_kind::user, cmd.id}, std::move(cmd));
  return done ? result<void>{} : tl::unexpected(done.error());
}

result<void> remove(const admin_port& port, std::uint16_t resource, std::int64_t id) {
  std::optional<entity_ref> entity;
  {
    const auto view = port.store.rows->view();
    const auto r = view->get(resource, id);
    entity =
      r ? domain::entity_of(*port.model, *port.model->find(resource), *r, *view) : std::nullopt;
  }
  if (!entity) {
    return {};
  }
  messages::remove_row cmd;
  cmd.by = platform();
  cmd.resource = resource;
  cmd.id = id;
  const auto done = port.ask(*entity, std::move(cmd));
  return done || done.error().code == errc::not_found ? result<void>{}
                                                      : tl::unexpected(done.error());
}

json user_json(const domain::row_source& rows, const row& user) {
  const auto& u = get().user;
  const auto& s = get().login_session;
  return {
    {"id", messages::id_of(user)},
    {"username", as_text(field(user, u.username))},
    {"email", or_null(as_text(field(user, u.email)))},
    {"administrator", as_bool(field(user, u.is_administrator))},
    {"two_factor", as_bool(field(user, u.has_two_factor_enabled))},
    {"sessions", count(rows, s.resource, s.user, messages::id_of(user))},
    {"created_at", as_int(field(user, 1))}};
}

result<json> create_user(const admin_port& port, const json& request) {
  const auto password = password_of(request);
  if (!password) {
    return tl::unexpected(password.error());
  }
  const auto& u = get().user;
  const auto partition = static_cast<int>(random_u64() % messages::partition_count);
  messages::create_row cmd;
  cmd.by = platform();
  cmd.resource = u.resource;
  cmd.values = {{u.username, text(request, "username")}, {u.password, password->hash}};
  if (const auto email = text(request, "email"); !email.empty()) {
    cmd.values.push_back({u.email, email});
  }
  if (flag(request, "administrator")) {
    cmd.values.push_back({u.is_administrator, true});
  }
  const auto done =
    port.ask({entity_kind::user, port.store.log->next_id(partition)}, std::move(cmd));
  if (!done) {
    return tl::unexpected(done.error());
  }
  return with_password({{"id", done->answer}, {"username", text(request, "username")}}, *password);
}

result<json> list_users(const admin_port& port, const json&) {
  json out = json::array();
  const auto view = port.store.rows->view();
  view->scan(get().user.resource, 0, [&](const row& r) {
    out.push_back(user_json(*view, r));
    return true;
  });
  return out;
}

result<json> reset_password(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const auto password = password_of(request);
  if (!password) {
    return tl::unexpected(password.error());
  }
  const auto done = change_user(port, *user, {{get().user.password, password->hash}});
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (port.unlock) {
    port.unlock(*user);
  }
  return with_password({{"username", as_text(field(*user, get().user.username))}}, *password);
}

result<json> disable_second_factor(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const auto done = change_user(port, *user, domain::without_second_factor());
  if (!done) {
    return tl::unexpected(done.error());
  }
  if (port.unlock) {
    port.unlock(*user);
  }
  return json{{"username", as_text(field(*user, get().user.username))}};
}

result<json> remove_user(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const auto id = messages::id_of(*user);
  const auto with_it = domain::removal_of(*port.store.rows->view(), get().user.resource, id);
  if (!with_it) {
    return tl::unexpected(with_it.error());
  }
  for (const auto& [resource, other] : with_it->first) {
    if (const auto done = remove(port, resource, other); !done) {
      return tl::unexpected(done.error());
    }
  }
  if (const auto done = remove(port, get().user.resource, id); !done) {
    return tl::unexpected(done.error());
  }
  return json{{"username", as_text(field(*user, get().user.username))}};
}

result<json> make_administrator(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const bool revoke = flag(request, "revoke");
  const auto done = change_user(port, *user, {{get().user.is_administrator, !revoke}});
  if (!done) {
    return tl::unexpected(done.error());
  }
  return json{{"username", as_text(field(*user, get().user.username))}, {"administrator", !revoke}};
}

std::vector<row> sessions_of(const admin_port& port, std::int64_t user) {
  const auto& s = get().login_session;
  const auto view = port.store.rows->view();
  const std::array<messages::value, 1> key{user};
  std::vector<row> out;
  for (const auto id : view->all(s.resource, s.user, key)) {
    if (auto r = view->get(s.resource, id)) {
      out.push_back(std::move(*r));
    }
  }
  return out;
}

result<json> list_sessions(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const auto& s = get().login_session;
  json out = json::array();
  for (const auto& r : sessions_of(port, messages::id_of(*user))) {
    if (as_int(field(r, s.expires_at)) > port.now()) {
      out.push_back(
        {{"id", messages::id_of(r)},
         {"created_at", as_int(field(r, 1))},
         {"authenticated_at", as_int(field(r, s.authenticated_at))},
         {"expires_at", as_int(field(r, s.expires_at))},
         {"client", as_text(field(r, s.client))},
         {"address", as_text(field(r, s.address))}});
    }
  }
  return out;
}

result<json> end_sessions(const admin_port& port, const json& request) {
  const auto user = user_named(port, request);
  if (!user) {
    return tl::unexpected(user.error());
  }
  const bool all = flag(request, "all");
  const auto wanted = request.value("id", std::int64_t{0});
  std::size_t ended = 0;
  for (const auto& r : sessions_of(port, messages::id_of(*user))) {
    if (all || messages::id_of(r) == wanted) {
      const auto done = remove(port, get().login_session.resource, messages::id_of(r));
      if (!done) {
        return tl::unexpected(done.error());
      }
      ++ended;
    }
  }
  if (!all && ended == 0) {
    return fail(errc::not_found, "the user has no such session");
  }
  return json{{"ended", ended}};
}

result<json> list_organizations(const admin_port& port, const json&) {
  const auto& n = get();
  json out = json::array();
  const auto view = port.store.rows->view();
  view->scan(n.organization.resource, 0, [&](const row& r) {
    const auto id = messages::id_of(r);
    const auto& m = n.organization_membership;
    std::size_t devices = 0;
    const std::array<messages::value, 1> key{id};
    const auto fleets = view->all(n.application.resource, n.application.organization, key);
    for (const auto fleet : fleets) {
      devices += count(*view, n.device.resource, n.device.belongs_to__application, fleet);
    }
    out.push_back(
      {{"id", id},
       {"handle", as_text(field(r, n.organization.handle))},
       {"name", as_text(field(r, n.organization.name))},
       {"members", count(*view, m.resource, m.is_member_of__organization, id)},
       {"fleets", fleets.size()},
       {"devices", devices},
       {"created_at", as_int(field(r, 1))}});
    return true;
  });
  return out;
}

}  // namespace

result<json> run_admin_command(const admin_port& port, const json& request) {
  using handler = result<json> (*)(const admin_port&, const json&);
  static const std::map<std::string, handler> table{
    {"user create", create_user},
    {"user list", list_users},
    {"user reset-password", reset_password},
    {"user disable-2fa", disable_second_factor},
    {"user remove", remove_user},
    {"user make-administrator", make_administrator},
    {"sessions list", list_sessions},
    {"sessions end", end_sessions},
    {"organization list", list_organizations},
    {"builder add", add_builder},
    {"builder list", list_builders},
    {"builder rm", remove_builder}};
  const auto found = request.is_object() ? table.find(text(request, "command")) : table.end();
  if (found == table.end()) {
    return fail(errc::invalid_argument, "there is no such command");
  }
  try {
    return found->second(port, request);
  } catch (const json::exception& e) {
    return fail(errc::invalid_argument, e.what());
  }
}

admin_port direct_admin_port(std::shared_ptr<const domain::schema> model, storage::store store) {
  admin_port port;
  port.model = model;
  port.store = store;
  port.now = now_ms;
  port.ask = [model, store](entity_ref entity, admin_port::command command) -> result<appended> {
    const auto view = store.rows->view();
    domain::draft d(*model, *view, now_ms());
    const domain::rule_context context{
      entity,
      [&] { return store.log->next_id(messages::partition_of(entity.id)); },
      random_hex,
      ""};
    const auto decided =
      std::visit([&](const auto& cmd) { return domain::decide(d, context, cmd); }, command);
    if (!decided) {
      return tl::unexpected(decided.error());
    }
    if (d.events().empty()) {
      appended nothing;
      nothing.answer = *decided;
      return nothing;
    }
    messages::commit c;
    c.entity = entity;
    c.expected_version = messages::any_version;
    c.time = d.now();
    c.answer = *decided;
    c.events = d.events();
    auto done = store.log->append({&c, 1}).at(0);
    if (done) {
      done->answer = *decided;
    }
    return done;
  };
  return port;
}

}  // namespace slipway::runtime
