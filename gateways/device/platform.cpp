#include "gateways/device/platform.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/device/addresses.hpp"
#include "gateways/device/config_variables.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"

#include <array>
#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::errc;
using messages::requester_kind;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t slug_bytes_max = 255;

std::optional<std::int64_t> device_of(const domain::row_source& rows, const std::string& uuid) {
  const std::array<value, 1> key{uuid};
  return rows.first(get().device.resource, get().device.uuid, key);
}

}  // namespace

awaitable<void> platform::config(exchange& x) {
  const auto& api = s_->api_url;
  const json out{
    {"deployment", nullptr},
    {"deviceUrlsBase", s_->device_urls_base},
    {"apiUrl", api},
    {"adminUrl", sibling_url(api, "dashboard")},
    {"actionsUrl", sibling_url(api, "actions")},
    {"gitServerUrl", sibling_host(api, "git")},
    {"registryHost", s_->registry_host},
    {"mixpanelToken", ""},
    {"signupCodeRequired", false},
    {"supportedSocialProviders", json::array()},
    {"version", SLIPWAY_VERSION}};
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> platform::config_vars(exchange& x) {
  const auto pairs = runtime::parse_query(x.head().query).value_or(runtime::query_pairs{});
  const auto type =
    runtime::query_value(pairs, "deviceType").value_or("").substr(0, slug_bytes_max);
  const auto out = config_variables(type);
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> platform::os_config(exchange& x) {
  // Hosts configure their services from this. Remote access goes through the overlay, which needs nothing of the host.
  auto overrides = json::object();
  if (const auto logs = logs_url(s_->api_url); !logs.empty()) {
    overrides["logsEndpoint"] = logs;
  }
  const json out{
    {"services",
     {{"openvpn",
       {{"config", "# This server has no OpenVPN: devices are reached through its overlay.\n"},
        {"ca", s_->root_ca ? s_->root_ca() : ""}}},
      {"ssh", {{"authorized_keys", ""}}}}},
    {"config", {{"overrides", std::move(overrides)}}},
    {"schema_version", "1.0.0"}};
  co_await x.respond(response::json(200, messages::dump_json(out)));
}

awaitable<void> platform::vpn_auth(exchange& x, std::string uuid) {
  const auto by = requester_of(*s_, x);
  const auto view = s_->store.rows->view();
  const auto device = device_of(*view, uuid);
  const bool own = by && device && by->kind == requester_kind::device && by->id == *device;
  auto answer = own ? empty_response(200) : error_response(errc::unauthorized, "not permitted");
  co_await x.respond(std::move(answer));
}

awaitable<void> platform::host_access(exchange& x, std::string uuid) {
  const auto by = requester_of(*s_, x);
  bool allowed = false;
  if (by) {
    const auto view = s_->store.rows->view();
    const auto device = device_of(*view, uuid);
    const auto row = device ? view->get(get().device.resource, *device) : std::nullopt;
    allowed = row
              && domain::access(*s_->model, *by, *view)
                   .may_do(domain::action::tunnel, s_->model->at("device"), *row);
  }
  auto answer = allowed ? empty_response(200) : error_response(errc::unauthorized, "not permitted");
  co_await x.respond(std::move(answer));
}

}  // namespace slipway::gateways::device
