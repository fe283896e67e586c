#include "gateways/device/supervisor_proxy.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "gateways/device/call_batch.hpp"
#include "gateways/device/supervisor_answer.hpp"
#include "messages/json.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::field;
using messages::result;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::uint32_t device_timeout_ms = 50'000;
constexpr std::size_t devices_logged_max = 16;

/// A positive integer, also as text. Errors: invalid_argument.
result<std::optional<std::int64_t>> id_member(const json& body, const char* name) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null()) {
    return std::optional<std::int64_t>{};
  }
  std::int64_t n = 0;
  if (it->is_number_integer()) {
    n = it->get<std::int64_t>();
  } else if (it->is_string()) {
    const auto& text = it->get_ref<const std::string&>();
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    n = failed == std::errc{} && end == text.data() + text.size() ? n : 0;
  }
  if (n <= 0) {
    return messages::fail(errc::invalid_argument, std::string("\"") + name + "\" is not an id");
  }
  return std::optional(n);
}

bool is_read(std::string_view method) {
  return method == "GET" || method == "HEAD";
}

response to_response(supervisor_answer a) {
  response r;
  r.status = a.status;
  r.content_type = std::move(a.content_type);
  r.body = std::move(a.body);
  // It came from a device: no browser may guess what it is.
  r.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return r;
}

/// `/v1/...`, `/v2/...` or `/ping`; the device decides which of them it knows.
bool is_supervisor_path(std::string_view path) {
  const bool known = path == "/ping" || path.starts_with("/v1/") || path.starts_with("/v2/");
  return known && path.size() <= messages::call_path_bytes_max
         && std::all_of(path.begin(), path.end(), [](unsigned char c) {
              return c > 0x20 && c < 0x7f;
            });
}

}  // namespace

struct supervisor_proxy::selection {
  std::vector<std::int64_t> devices;
  std::vector<std::string> uuids;
};

result<supervisor_proxy::request> supervisor_proxy::read_request(const json& body) {
  if (!body.is_object()) {
    return messages::fail(errc::invalid_argument, "the body is not a JSON object");
  }
  request r;
  const auto application = id_member(body, "appId");
  const auto device = id_member(body, "deviceId");
  if (!application || !device) {
    return tl::unexpected(!application ? application.error() : device.error());
  }
  r.application = *application;
  r.device = *device;
  if (const auto it = body.find("uuid"); it != body.end() && !it->is_null()) {
    if (!it->is_string() || it->get_ref<const std::string&>().empty()) {
      return messages::fail(errc::invalid_argument, "\"uuid\" is not a text");
    }
    r.uuid = it->get<std::string>();
  }
  if (!r.application && !r.device && !r.uuid) {
    return messages::fail(
      errc::invalid_argument,
      "at least one of \"appId\", \"deviceId\" and \"uuid\" is required");
  }
  if (const auto it = body.find("method"); it != body.end() && !it->is_null()) {
    static constexpr std::array known{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"};
    const bool valid =
      it->is_string() && std::any_of(known.begin(), known.end(), [&](const char* m) {
        return it->get_ref<const std::string&>() == m;
      });
    if (!valid) {
      return messages::fail(errc::invalid_argument, "\"method\" is not a known method");
    }
    r.method = it->get<std::string>();
  }
  if (const auto it = body.find("data"); it != body.end() && !it->is_null()) {
    if (!it->is_object()) {
      return messages::fail(errc::invalid_argument, "\"data\" is not an object");
    }
    r.data = messages::dump_json(*it);
    if (r.data.size() > messages::call_body_bytes_max) {
      return messages::fail(errc::too_large, "\"data\" is too large");
    }
  }
  return r;
}

result<supervisor_proxy::selection> supervisor_proxy::select(
  const messages::requester& by,
  const request& r) const {
  const auto& d = get().device;
  const auto view = s_->store.rows->view();
  const domain::access access(*s_->model, by, *view);
  const auto& devices = *s_->model->find(d.resource);
  const auto action = is_read(r.method) ? domain::action::inspect : domain::action::control;

  std::vector<std::int64_t> candidates;
  if (r.device) {
    candidates.push_back(*r.device);
  } else if (r.uuid) {
    const std::array<value, 1> key{*r.uuid};
    candidates = view->all(d.resource, d.uuid, key);
  } else {
    const std::array<value, 1> key{*r.application};
    candidates = view->all(d.resource, d.belongs_to__application, key);
  }
  selection out;
  bool refused = false;
  for (const auto id : candidates) {
    const auto row = view->get(d.resource, id);
    const bool matches =
      row && access.may_see(devices, *row) && (!r.uuid || as_text(field(*row, d.uuid)) == *r.uuid)
      && (!r.application || as_int(field(*row, d.belongs_to__application)) == *r.application);
    if (!matches) {
      continue;
    }
    if (!access.may_do(action, devices, *row)) {
      refused = true;
    } else if (
      as_bool(field(*row, d.is_connected_to_vpn)) && as_bool(field(*row, d.is_active), true)) {
      out.devices.push_back(id);
      out.uuids.push_back(as_text(field(*row, d.uuid)));
    }
  }
  if (refused) {
    return messages::fail(errc::forbidden, "not permitted");
  }
  if (out.devices.empty()) {
    return messages::fail(errc::not_found, std::string(no_online_device));
  }
  return out;
}

namespace {

/// Who had what done to which device: the operator's record. Requests that only read are not in it.
void log_action(
  const messages::requester& by,
  const std::string& path,
  const std::vector<std::string>& uuids,
  const std::vector<supervisor_answer>& answers) {
  std::string devices;
  std::string statuses;
  for (std::size_t i = 0; i < uuids.size() && i < devices_logged_max; ++i) {
    devices += (i == 0 ? "" : " ") + uuids[i];
    statuses += (i == 0 ? "" : " ") + std::to_string(answers[i].status);
  }
  runtime::log::info(
    "device action",
    {{"by_actor", std::to_string(by.actor)},
     {"by_key", by.by_key ? "yes" : "no"},
     {"path", path.substr(0, path.find('?'))},
     {"devices", devices},
     {"count", std::to_string(uuids.size())},
     {"statuses", statuses}});
}

}  // namespace

awaitable<void> supervisor_proxy::ask(
  exchange& x,
  messages::requester by,
  request r,
  std::string path,
  selection chosen) {
  messages::call wanted;
  wanted.method = r.method;
  wanted.path = path;
  wanted.body = r.data;
  wanted.timeout_ms = device_timeout_ms;
  auto results = co_await call_devices(*s_, x.executor(), chosen.devices, std::move(wanted));
  const bool logs = path == "/v2/journal-logs";
  std::vector<supervisor_answer> answers;
  answers.reserve(results.size());
  for (const auto& one : results) {
    answers.push_back(answer_of(one, logs));
  }
  if (!is_read(r.method)) {
    log_action(by, path, chosen.uuids, answers);
  }
  if (answers.size() == 1) {
    auto only = to_response(std::move(answers.front()));
    co_return co_await x.respond(std::move(only));
  }
  auto out = json::array();
  for (const auto& a : answers) {
    out.push_back(entry_of(a));
  }
  auto many = response::json(207, messages::dump_json(out));
  co_await x.respond(std::move(many));
}

awaitable<void> supervisor_proxy::forward(exchange& x, route_args at) {
  const auto by = requester_of(*s_, x);
  auto body = co_await x.read_body(json_body_bytes_max);
  const auto j = body ? messages::parse_json(*body) : tl::unexpected(body.error());
  auto r = j ? read_request(*j) : tl::unexpected(j.error());
  if (!by || !r) {
    co_return co_await x.respond(error_response(!by ? by.error() : r.error()));
  }
  if (by->kind == messages::requester_kind::guest) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  auto path = "/" + std::string(at.rest());
  if (!is_supervisor_path(path)) {
    co_return co_await x.respond(error_response(errc::not_found, "no such address"));
  }
  auto chosen = select(*by, *r);
  if (!chosen) {
    co_return co_await x.respond(error_response(chosen.error()));
  }
  co_await ask(x, *by, std::move(*r), std::move(path), std::move(*chosen));
}

awaitable<void> supervisor_proxy::restart_application(exchange& x, std::int64_t application) {
  const auto by = requester_of(*s_, x);
  if (!by || by->kind == messages::requester_kind::guest) {
    co_return co_await x.respond(error_response(errc::unauthorized, "login required"));
  }
  bool visible = false;
  bool permitted = false;
  {
    const auto view = s_->store.rows->view();
    const auto& resource = *s_->model->find(get().application.resource);
    const auto row = view->get(resource.number, application);
    const domain::access access(*s_->model, *by, *view);
    visible = row && access.may_see(resource, *row);
    permitted = visible && access.may_do(domain::action::control, resource, *row);
  }
  if (!permitted) {
    auto refusal = visible ? error_response(errc::forbidden, "not permitted")
                           : error_response(errc::not_found, "no such fleet, or no access to it");
    co_return co_await x.respond(std::move(refusal));
  }
  request r;
  r.application = application;
  r.data = messages::dump_json(json{{"appId", application}});
  auto chosen = select(*by, r);
  if (!chosen) {
    // All devices that could restart have when there are none; a 404 would say that the fleet is not there.
    auto none = chosen.error().code == errc::not_found ? response::text(200, "OK")
                                                       : error_response(chosen.error());
    co_return co_await x.respond(std::move(none));
  }
  co_await ask(x, *by, std::move(r), "/v1/restart", std::move(*chosen));
}

}  // namespace slipway::gateways::device
