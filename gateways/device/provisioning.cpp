#include "gateways/device/provisioning.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/api/accounts/api_keys.hpp"
#include "gateways/device/addresses.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

std::string text_of(const json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? it->get<std::string>() : "";
}

std::int64_t int_of(const json& j, const char* name) {
  const auto it = j.find(name);
  if (it == j.end()) {
    return 0;
  }
  if (it->is_number_integer()) {
    return it->get<std::int64_t>();
  }
  std::int64_t n = 0;
  const auto text = it->is_string() ? it->get<std::string>() : "";
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
  return failed == std::errc{} && end == text.data() + text.size() ? n : 0;
}

/// Request members of `/download-config`, from the query or from the body, which wins.
result<json> config_members(const exchange& x, const std::string& body) {
  auto out = json::object();
  for (auto& [name, text] : runtime::parse_query(x.head().query).value_or(runtime::query_pairs{})) {
    out[name] = text;
  }
  if (body.empty()) {
    return out;
  }
  if (x.header("content-type").find("form-urlencoded") != std::string_view::npos) {
    for (auto& [name, text] : runtime::parse_query(body).value_or(runtime::query_pairs{})) {
      out[name] = text;
    }
    return out;
  }
  const auto j = messages::parse_json(body);
  if (!j || !j->is_object()) {
    return fail(errc::invalid_argument, "the body must be a JSON object");
  }
  out.update(*j);
  return out;
}

std::optional<std::int64_t> type_of_name(const domain::row_source& rows, const std::string& name) {
  const auto& alias = get().device_type_alias;
  const std::array<value, 1> key{name};
  if (const auto id = rows.first(alias.resource, alias.is_referenced_by__alias, key)) {
    const auto r = rows.get(alias.resource, *id);
    return r ? std::optional(as_int(field(*r, alias.device_type))) : std::nullopt;
  }
  return rows.first(get().device_type.resource, get().device_type.slug, key);
}

// A key that counts its registrations is asked for one before, so that those that race never get more than it has; one that failed is
// given back (ADR 54). 0 = the requester has no such key.
std::int64_t counted_key(const services& s, const messages::requester& by) {
  if (by.kind != messages::requester_kind::fleet || by.key == 0) {
    return 0;
  }
  const auto& k = get().api_key;
  const auto row = s.store.rows->view()->get(k.resource, by.key);
  const bool uncounted = row && messages::is_null(field(*row, k.remaining_uses));
  return uncounted ? 0 : by.key;
}

}  // namespace

awaitable<void> provisioning::enroll(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await x.read_body(json_body_bytes_max);
  const auto j = body ? messages::parse_json(*body) : tl::unexpected(body.error());
  if (!by || !j || !j->is_object()) {
    auto refusal = !by  ? error_response(by.error())
                   : !j ? error_response(j.error())
                        : error_response(errc::invalid_argument, "the body is not an object");
    co_return co_await x.respond(std::move(refusal));
  }
  messages::register_device cmd;
  cmd.by = *by;
  cmd.application = int_of(*j, "application");
  cmd.uuid = text_of(*j, "uuid");
  cmd.device_type = text_of(*j, "device_type");
  auto key = text_of(*j, "api_key");
  cmd.overlay_public_key = text_of(*j, "overlay_public_key");
  cmd.supervisor_version = text_of(*j, "supervisor_version").substr(0, 20);
  cmd.os_version = text_of(*j, "os_version").substr(0, 70);
  cmd.os_variant = text_of(*j, "os_variant").substr(0, 255);
  cmd.mac_address = text_of(*j, "mac_address").substr(0, 900);
  if (cmd.application == 0 || cmd.uuid.empty() || cmd.device_type.empty()) {
    co_return co_await x.respond(
      response::text(400, "application, uuid and device_type are required"));
  }
  if (!key.empty() && (key.size() < 16 || key.size() > 128)) {
    co_return co_await x.respond(response::text(400, "api_key has 16 to 128 characters"));
  }
  if (key.empty()) {
    key = runtime::random_token(32);
  }
  cmd.api_key = runtime::sha256_hex(key);
  const auto uuid = cmd.uuid;
  const messages::use_key use{counted_key(*s_, *by), false};
  const messages::entity_ref fleet{entity_kind::fleet, by->id};
  if (use.key != 0) {
    const auto taken = co_await s_->ask->ask(x.executor(), fleet, use);
    if (!taken) {
      co_return co_await x.respond(error_response(taken.error()));
    }
  }
  const auto entity = new_entity(*s_, entity_kind::device);
  const auto done = co_await s_->ask->ask(x.executor(), entity, std::move(cmd));
  if (!done && use.key != 0 && done.error().code != errc::timed_out) {
    const messages::use_key back{use.key, true};
    // Before the answer: whoever tries again at once has its use.
    const auto given = co_await s_->ask->ask(x.executor(), fleet, back);
    static_cast<void>(given);
  }
  if (!done) {
    // Old supervisors compare the text of a 409 (balena-api.md 8.2), so it is not a JSON string here.
    co_return co_await x.respond(
      response::text(messages::http_status(done.error().code), done.error().detail));
  }
  const json out{{"id", done->answer}, {"uuid", uuid}, {"api_key", key}};
  co_await x.respond(response::json(201, messages::dump_json(out)));
}

result<std::string> provisioning::check(
  const messages::requester& by,
  const config_request& request) const {
  const auto& n = get();
  const auto view = s_->store.rows->view();
  const auto fleet = view->get(n.application.resource, request.application);
  const bool allowed =
    fleet
    && domain::access(*s_->model, by, *view)
         .may_do(domain::action::download_config, s_->model->at("application"), *fleet);
  if (!allowed) {
    return fail(errc::not_found, "no such fleet, or no access to it");
  }
  const auto own_type = as_int(field(*fleet, n.application.is_for__device_type));
  const auto type = request.device_type.empty() ? std::optional(own_type)
                                                : type_of_name(*view, request.device_type);
  const auto row = type ? view->get(n.device_type.resource, *type) : std::nullopt;
  const auto own = view->get(n.device_type.resource, own_type);
  if (!row || !own) {
    return fail(errc::invalid_argument, "\"deviceType\" names no device type");
  }
  const auto& architecture = n.device_type.is_of__cpu_architecture;
  if (field(*row, architecture) != field(*own, architecture)) {
    return fail(
      errc::invalid_argument,
      "the device type's architecture differs from the fleet's: such a device could not join it");
  }
  return as_text(field(*row, n.device_type.slug));
}

awaitable<void> provisioning::download_config(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await x.read_body(json_body_bytes_max);
  if (!by || !body) {
    const auto& why = !by ? by.error() : body.error();
    co_return co_await x.respond(error_response(why));
  }
  const auto members = config_members(x, *body);
  const auto request =
    members ? parse_config_request(*members, s_->now()) : tl::unexpected(members.error());
  if (!request) {
    co_return co_await x.respond(error_response(request.error()));
  }
  const auto slug = check(*by, *request);
  if (!slug) {
    co_return co_await x.respond(error_response(slug.error()));
  }
  api::new_key wanted;
  wanted.by = *by;
  wanted.owner = {entity_kind::fleet, request->application};
  wanted.name = request->key_name;
  wanted.description = request->key_description;
  wanted.expires = request->key_expires;
  wanted.uses = request->key_uses;
  auto key = co_await api::create_key(*s_, x.executor(), std::move(wanted));
  if (!key) {
    co_return co_await x.respond(error_response(key.error()));
  }
  config_facts facts;
  facts.device_type = *slug;
  facts.user = by->kind == messages::requester_kind::user ? by->id : 0;
  facts.key = std::move(*key);
  facts.api_url = s_->api_url;
  facts.registry_host = s_->registry_host;
  facts.vpn_host = sibling_host(s_->api_url, "cloudlink");
  facts.delta_url = sibling_url(s_->api_url, "delta");
  facts.logs_url = logs_url(s_->api_url);
  facts.root_ca = s_->root_ca ? s_->root_ca() : "";
  facts.overlay_endpoint = s_->overlay_endpoint();
  facts.overlay_server_key = s_->overlay_server_key;
  const auto out = config_json(*request, facts, *members, types_.asked_by(*slug));
  auto answer = response::json(200, messages::dump_json(out));
  answer.headers.emplace_back("Cache-Control", "no-store");  // it holds a key
  co_await x.respond(std::move(answer));
}

}  // namespace slipway::gateways::device
