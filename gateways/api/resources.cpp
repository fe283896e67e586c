#include "gateways/api/resources.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/rules.hpp"
#include "gateways/api/invitations.hpp"
#include "gateways/api/odata/body.hpp"
#include "gateways/api/odata/executor.hpp"
#include "gateways/api/odata/parser.hpp"
#include "gateways/api/removal.hpp"
#include "gateways/api/resource_call.hpp"
#include "gateways/api/version_six.hpp"
#include "gateways/assets/asset_links.hpp"
#include "gateways/registry/completion.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"

#include <utility>

namespace slipway::gateways::api {

namespace asio = boost::asio;
using messages::entity_kind;
using messages::entity_ref;
using messages::errc;
using messages::fail;
using messages::field_value;
using messages::requester;
using messages::result;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t password_bytes_min = 8;

/// `Idempotency-Key`: the same key of the same requester again is answered, not repeated. Any text; the command's id is a hash of it
/// with who asks and for what, so that nobody is answered with another's row.
messages::command_id
command_of(const exchange& x, const requester& by, const domain::resource_def& resource) {
  messages::command_id id{};
  const auto key = x.header("idempotency-key");
  if (!key.empty()) {
    const auto hash = runtime::sha256_hex(
      std::to_string(by.actor) + "/" + std::to_string(resource.number) + "/" + std::string(key));
    std::copy_n(hash.begin(), id.size(), id.begin());
  }
  return id;
}

}  // namespace

namespace {

/// Clients read a release asset with a link to its bytes, which ends; its row keeps which bytes they are.
messages::value
document_of(const services& s, const domain::field_def& f, const messages::row& row) {
  static const auto* const asset =
    &s.model->at("release_asset").fields[domain::numbers::get().release_asset.asset];
  const auto& stored = messages::field(row, f.number);
  return &f == asset && s.asset_links ? s.asset_links->shown(messages::id_of(row), stored) : stored;
}

/// Calls `use` with what the OData engine needs to know of the requester's rights over `view`.
template <class Use>
auto with_access(
  const services& s,
  const requester& by,
  const storage::read_view& view,
  const query_budget& budget,
  Use use) {
  const domain::access rights(*s.model, by, view);
  const auto deadline = runtime::steady_ms() + budget.ms_max;
  const odata::access a{
    by,
    [&](const domain::resource_def& r, const messages::row& row) { return rights.may_see(r, row); },
    [&](const domain::resource_def& r) { return rights.candidates(r); },
    budget.rows_max,
    64U << 20U,
    [deadline] { return runtime::steady_ms() > deadline; },
    [&](const domain::field_def& f, const messages::row& row) { return document_of(s, f, row); }};
  return use(a);
}

/// Which entity a new row belongs to: itself for a root, else that of the row it hangs on.
result<entity_ref> entity_for_new(
  const services& s,
  const domain::resource_def& resource,
  const std::vector<field_value>& values) {
  if (resource.root == entity_kind::none) {
    return fail(errc::unauthorized, "this resource cannot be created here");
  }
  if (resource.root == entity_kind::catalog) {
    return entity_ref{entity_kind::catalog, messages::partition_count};
  }
  if (resource.root_path.empty()) {
    return new_entity(s, resource.root);
  }
  const auto& parent = resource.fields[resource.field(resource.root_path.front())];
  for (const auto& v : values) {
    if (v.field != parent.number) {
      continue;
    }
    const auto& target = s.model->at(parent.references);
    const auto view = s.store.rows->view();
    const auto row = view->get(target.number, messages::as_int(v.value));
    const auto entity = row ? domain::entity_of(*s.model, target, *row, *view) : std::nullopt;
    return entity ? result<entity_ref>(*entity)
                  : fail(
                    errc::rule_violated,
                    "\"" + parent.name + "\" refers to a " + parent.references
                      + " that does not exist.");
  }
  return fail(errc::rule_violated, "\"" + parent.name + "\" is required.");
}

/// A user's password arrives in clear and is stored as its Argon2id hash, which takes 0.1 s on the slow pool.
awaitable<result<void>> add_password(
  const services& s,
  const requester& by,
  const json& body,
  std::vector<field_value>& values) {
  const auto it = body.find("password");
  if (it == body.end()) {
    co_return result<void>{};
  }
  // Before 64 MiB and 0.1 s are spent on it: only administrators set passwords here.
  if (!by.administrator) {
    co_return fail(errc::unauthorized, "not permitted");
  }
  const auto password = it->is_string() ? it->get<std::string>() : "";
  if (password.size() < password_bytes_min || password.size() > 1024) {
    co_return fail(errc::rule_violated, "a password has 8 to 1024 characters.");
  }
  std::function<std::string()> make = [password] { return runtime::hash_password(password); };
  auto hash = co_await run_on(*s.slow, std::move(make));
  values.push_back({domain::numbers::get().user.password, std::move(hash)});
  co_return result<void>{};
}

/// The answer of a write. What would have no body has one in v6: clients of that time expect it (balena-api.md 3.10).
response nothing_to_say(const odata::request_line& line) {
  return line.version == odata::dialect::v6 ? response::text(200, "OK") : empty_response(200);
}

result<std::vector<field_value>>
values_of(const services& s, const odata::request_line& line, const json& body) {
  if (line.version == odata::dialect::v7) {
    return odata::parse_body(line.resource(), body);
  }
  const auto view = s.store.rows->view();
  return six::parse_body(*s.model, line.resource(), body, *view);
}

awaitable<result<std::vector<field_value>>> read_values(
  const services& s,
  exchange& x,
  const odata::request_line& line,
  const requester& by,
  bool creating) {
  const auto body = co_await x.read_body(json_body_bytes_max);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  const auto j = messages::parse_json(body->empty() ? "{}" : *body);
  if (!j) {
    co_return tl::unexpected(j.error());
  }
  const bool is_user = line.resource().number == domain::numbers::get().user.resource;
  auto values = values_of(s, line, *j);
  if (!values && is_user && j->is_object() && j->contains("password") && !creating) {
    values = std::vector<field_value>{};  // the password alone
  }
  if (values && is_user) {
    const auto ok = co_await add_password(s, by, *j, *values);
    if (!ok) {
      co_return tl::unexpected(ok.error());
    }
  }
  co_return values;
}

}  // namespace

awaitable<void> resources::handle(exchange& x, std::string_view version, std::string_view path) {
  if (path == "$metadata" || path == "%24metadata") {
    co_return co_await metadata(x, version);
  }
  auto by = requester_of(*s_, x);
  if (!by) {
    co_return co_await x.respond(error_response(by.error()));
  }
  auto line = version == "v6" ? six::parse_target(path, x.head().query)
                              : odata::parse_target(*s_->model, version, path, x.head().query);
  if (!line) {
    co_return co_await x.respond(error_response(line.error()));
  }
  call c{x, std::move(*by), std::move(*line)};
  const auto method = x.head().method;
  if (method == "GET" || method == "HEAD") {
    co_await get(c);
  } else if (method == "POST" && !c.line.action.empty()) {
    co_await ask_access(c);
  } else if (method == "POST") {
    co_await create(c);
  } else if (method == "PATCH") {
    co_await change(c);
  } else if (method == "DELETE") {
    co_await remove(c);
  } else {
    co_await x.respond(response::json(405, "\"method not allowed\""));
  }
}

awaitable<void> resources::get(call& c) {
  query_runner::query<std::string> query = [&](const auto& budget, odata::statistics& stats) {
    const auto view = s_->store.rows->view();
    return with_access(*s_, c.by, *view, budget, [&](const odata::access& a) {
      return odata::read(c.line, *view, a, &stats);
    });
  };
  auto body = co_await queries_.run(c.by.actor, std::move(query));
  if (!body) {
    co_return co_await c.x.respond(error_response(body.error()));
  }
  co_await c.x.respond(response::json(200, std::move(*body)));
}

awaitable<void> resources::create(call& c) {
  if (c.by.kind == messages::requester_kind::guest) {
    // Nobody learns from the refusal whether what he names is there.
    co_return co_await c.x.respond(error_response(errc::unauthorized, "not permitted"));
  }
  auto values = co_await read_values(*s_, c.x, c.line, c.by, true);
  if (!values) {
    co_return co_await c.x.respond(error_response(values.error()));
  }
  const auto entity = entity_for_new(*s_, c.resource(), *values);
  if (!entity) {
    co_return co_await c.x.respond(error_response(entity.error()));
  }
  const auto secret = add_invitation_token(c.resource(), *values);
  messages::create_row cmd;
  cmd.by = c.by;
  cmd.resource = c.resource().number;
  cmd.values = std::move(*values);
  cmd.command = command_of(c.x, c.by, c.resource());
  const auto done = co_await s_->ask->ask(c.x.executor(), *entity, std::move(cmd));
  if (!done) {
    co_return co_await c.x.respond(error_response(done.error()));
  }
  response r;
  r.status = 201;
  r.content_type = "application/json";
  r.headers.emplace_back(
    "Location",
    "/" + c.resource().name + "(" + std::to_string(done->answer) + ")");
  r.body = "{\"id\":" + std::to_string(done->answer) + "}";
  const bool whole = c.x.head().query.find("returnResource=false") == std::string_view::npos;
  if (whole || !secret.empty()) {
    const auto view = s_->store.rows->view();
    if (const auto row = view->get(c.resource().number, done->answer)) {
      r.body = whole ? odata::row_json(c.resource(), *row, *view) : r.body;
      tell_invitation_token(c.resource(), *row, secret, r.body);
    }
  }
  co_await c.x.respond(std::move(r));
}

awaitable<result<std::vector<std::int64_t>>> resources::select(call& c) {
  using ids = std::vector<std::int64_t>;
  query_runner::query<ids> query = [&](const auto& budget, odata::statistics& stats) {
    const auto view = s_->store.rows->view();
    return with_access(*s_, c.by, *view, budget, [&](const odata::access& a) {
      return odata::select_ids(c.line, *view, a, &stats);
    });
  };
  auto found = co_await queries_.run(c.by.actor, std::move(query));
  co_return found;
}

awaitable<void> resources::change(call& c) {
  const auto values = co_await read_values(*s_, c.x, c.line, c.by, false);
  if (!values) {
    co_return co_await c.x.respond(error_response(values.error()));
  }
  const auto ids = co_await select(c);
  if (!ids) {
    co_return co_await c.x.respond(error_response(ids.error()));
  }
  std::vector<target> rows;
  {
    const auto view = s_->store.rows->view();
    for (const auto id : *ids) {
      add_target(rows, *view, c.resource().number, id);
    }
  }
  messages::change_row cmd;
  cmd.by = c.by;
  cmd.resource = c.resource().number;
  cmd.values = *values;
  const auto done = co_await change_rows(c, std::move(rows), cmd, false);
  if (!done) {
    co_return co_await c.x.respond(error_response(done.error()));
  }
  co_await follow(c, *ids, cmd);
  co_await c.x.respond(nothing_to_say(c.line));
}

awaitable<void> resources::remove(call& c) {
  const auto ids = co_await select(c);
  if (!ids) {
    co_return co_await c.x.respond(error_response(ids.error()));
  }
  for (const auto id : *ids) {
    const auto ok = co_await remove_row(*s_, c.x.executor(), c.by, c.resource().number, id);
    if (!ok) {
      co_return co_await c.x.respond(error_response(ok.error()));
    }
  }
  co_await c.x.respond(nothing_to_say(c.line));
}

}  // namespace slipway::gateways::api
