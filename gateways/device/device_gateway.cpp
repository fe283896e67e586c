#include "gateways/device/device_gateway.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/target_document.hpp"
#include "gateways/device/report.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"

#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::entity_kind;
using messages::errc;
using messages::error;
using messages::requester_kind;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

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

}  // namespace slipway::gateways::device
