#include "gateways/device/device_gateway.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/target_document.hpp"
#include "gateways/api/accounts.hpp"
#include "gateways/api/odata/date.hpp"
#include "gateways/device/report.hpp"
#include "messages/json.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <charconv>
#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::as_int;
using messages::as_text;
using messages::entity_kind;
using messages::errc;
using messages::error;
using messages::field;
using messages::requester_kind;
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

response with_etag(response r, const std::string& etag) {
  r.headers.emplace_back("ETag", etag);
  return r;
}

bool same_etag(std::string_view sent, std::string_view etag) {
  if (sent.starts_with("W/")) {
    sent.remove_prefix(2);
  }
  return sent == etag;
}

}  // namespace

awaitable<void> device_gateway::enroll(exchange& x) {
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
  const auto entity = new_entity(*s_, entity_kind::device);
  const auto done = co_await s_->ask->ask(x.executor(), entity, std::move(cmd));
  if (!done) {
    // Old supervisors compare the text of a 409 (balena-api.md 8.2), so it is not a JSON string here.
    co_return co_await x.respond(
      response::text(messages::http_status(done.error().code), done.error().detail));
  }
  const json out{{"id", done->answer}, {"uuid", uuid}, {"api_key", key}};
  co_await x.respond(response::json(201, messages::dump_json(out)));
}

awaitable<void> device_gateway::get_state(exchange& x, std::string uuid) {
  const auto t = targets_.find(uuid);
  if (!t) {
    // A deleted device keeps what it runs: 304 says nothing about what it should be.
    co_return co_await x.respond(empty_response(304));
  }
  const auto by = requester_of(*s_, x);
  bool allowed = by && by->kind == requester_kind::device && by->id == t->device;
  if (allowed) {
    heartbeats_.seen(t->device, t->poll_ms);
  }
  if (by && !allowed) {
    const auto view = s_->store.rows->view();
    const auto row = view->get(get().device.resource, t->device);
    const domain::access rights(*s_->model, *by, *view);
    allowed = row && rights.may_do(domain::action::read_state, s_->model->at("device"), *row);
  }
  if (!allowed) {
    co_return co_await x.respond(error_response(errc::unauthorized, "not permitted"));
  }
  if (same_etag(x.header("if-none-match"), t->etag)) {
    co_return co_await x.respond(with_etag(empty_response(304), t->etag));
  }
  co_await x.respond(with_etag(response::json(200, t->body), t->etag));
}

awaitable<void> device_gateway::get_fleet_state(exchange& x, std::string uuid) {
  const auto by = requester_of(*s_, x);
  const auto view = s_->store.rows->view();
  const auto& a = get().application;
  const std::array<value, 1> key{uuid};
  const auto id = view->first(a.resource, a.uuid, key);
  const auto row = id ? view->get(a.resource, *id) : std::nullopt;
  const auto& fleets = s_->model->at("application");
  const bool allowed =
    by && row
    && domain::access(*s_->model, *by, *view).may_do(domain::action::read_state, fleets, *row);
  const auto pairs = runtime::parse_query(x.head().query).value_or(runtime::query_pairs{});
  const auto commit = std::string(runtime::query_value(pairs, "releaseUuid").value_or(""));
  const auto body = allowed ? domain::fleet_target(*view, *id, commit)
                            : messages::fail(errc::unauthorized, "not permitted");
  if (!body) {
    co_return co_await x.respond(
      error_response(errc::unauthorized, "no such fleet or release, or not permitted"));
  }
  co_await x.respond(response::json(200, *body));
}

bool device_gateway::may_report(const messages::requester& by, std::int64_t device) const {
  if (by.kind == requester_kind::device) {
    return by.id == device;
  }
  const auto view = s_->store.rows->view();
  const auto row = view->get(get().device.resource, device);
  return row
         && domain::access(*s_->model, by, *view)
              .may_do(domain::action::report_state, s_->model->at("device"), *row);
}

awaitable<void> device_gateway::report_state(exchange& x) {
  const auto by = requester_of(*s_, x);
  if (!by || by->kind == requester_kind::guest || by->kind == requester_kind::fleet) {
    co_return co_await x.respond(error_response(errc::unauthorized, "a device key is needed"));
  }
  const auto body = co_await x.read_body(json_body_bytes_max);
  const auto j = body ? messages::parse_json(*body) : tl::unexpected(body.error());
  if (!j || !j->is_object() || j->empty()) {
    auto refusal =
      j ? error_response(errc::invalid_argument, "the report is empty") : error_response(j.error());
    co_return co_await x.respond(std::move(refusal));
  }
  std::vector<std::pair<std::int64_t, messages::report_state>> reports;
  for (const auto& [uuid, part] : j->items()) {
    const auto known = targets_.find(uuid);
    auto report = known && may_report(*by, known->device)
                    ? parse_report(part, names_, known->application)
                    : messages::fail(errc::unauthorized, "no such device");
    if (!report) {
      co_return co_await x.respond(error_response(report.error()));
    }
    report->by = *by;
    reports.emplace_back(known->device, std::move(*report));
  }
  for (auto& [id, report] : reports) {
    const auto done =
      co_await s_->ask->ask(x.executor(), {entity_kind::device, id}, std::move(report));
    if (!done) {
      co_return co_await x.respond(error_response(done.error()));
    }
  }
  co_await x.respond(empty_response(200));
}

namespace {

/// Request members of `/download-config`, from the query or from the body, which wins.
json config_request(const exchange& x, const std::string& body) {
  auto out = json::object();
  for (auto& [name, text] : runtime::parse_query(x.head().query).value_or(runtime::query_pairs{})) {
    out[name] = text;
  }
  if (auto j = messages::parse_json(body); j && j->is_object()) {
    out.update(*j);
  }
  return out;
}

}  // namespace

awaitable<void> device_gateway::download_config(exchange& x) {
  const auto by = requester_of(*s_, x);
  const auto body = co_await x.read_body(json_body_bytes_max);
  if (!by || !body) {
    co_return co_await x.respond(error_response(!by ? by.error() : body.error()));
  }
  const auto request = config_request(x, *body);
  const auto application = int_of(request, "appId");
  const auto& n = get();
  std::string slug;
  {
    const auto view = s_->store.rows->view();
    const auto fleet = view->get(n.application.resource, application);
    const bool allowed =
      fleet
      && domain::access(*s_->model, *by, *view).may_make_key({entity_kind::fleet, application});
    if (!allowed) {
      auto refusal = application == 0
                       ? error_response(errc::invalid_argument, "\"appId\" is required")
                       : error_response(errc::not_found, "no such fleet, or no access to it");
      co_return co_await x.respond(std::move(refusal));
    }
    const auto type =
      view->get(n.device_type.resource, as_int(field(*fleet, n.application.is_for__device_type)));
    slug = type ? as_text(field(*type, n.device_type.slug)) : "";
  }
  if (const auto wanted = text_of(request, "deviceType"); !wanted.empty()) {
    slug = wanted;
  }
  const auto date = text_of(request, "provisioningKeyExpiryDate");
  auto key = co_await api::create_key(
    *s_,
    x.executor(),
    *by,
    {entity_kind::fleet, application},
    text_of(request, "provisioningKeyName"),
    text_of(request, "provisioningKeyDescription"),
    date.empty() ? 0 : odata::parse_date(date).value_or(1));
  if (!key) {
    co_return co_await x.respond(error_response(key.error()));
  }
  const auto minutes = int_of(request, "appUpdatePollInterval");
  json out{
    {"applicationId", application},
    {"deviceType", slug},
    {"userId", by->id},
    {"appUpdatePollInterval", minutes > 0 ? minutes * 60'000 : 60'000},
    {"listenPort", 48484},
    {"apiEndpoint", s_->api_url},
    {"registryEndpoint", s_->registry_host},
    {"mixpanelToken", "none"},
    {"apiKey", *key},
    {"overlayEndpoint", s_->overlay_endpoint()},
    {"overlayServerKey", s_->overlay_server_key}};
  if (request.value("developmentMode", json()) == true) {
    out["developmentMode"] = true;
  }
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

}  // namespace slipway::gateways::device
