#include "gateways/device/device_gateway.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "domain/target_document.hpp"
#include "gateways/api/odata/body.hpp"
#include "gateways/device/report.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace slipway::gateways::device {

using domain::numbers::get;
using messages::entity_kind;
using messages::errc;
using messages::fail;
using messages::field_value;
using messages::requester_kind;
using messages::result;
using messages::value;
using nlohmann::json;
using runtime::awaitable;
using runtime::exchange;
using runtime::response;

namespace {

constexpr std::size_t devices_per_report_max = 1000;
constexpr std::size_t tags_per_report_max = 1000;

bool same_etag(std::string_view sent, std::string_view etag) {
  if (sent.starts_with("W/")) {
    sent.remove_prefix(2);
  }
  return sent == etag;
}

awaitable<void> send_state(exchange& x, const std::string& etag, const std::string& body) {
  const bool known = same_etag(x.header("if-none-match"), etag);
  auto answer = known ? empty_response(304) : response::json(200, body);
  answer.headers.emplace_back("ETag", etag);
  co_await x.respond(std::move(answer));
}

}  // namespace

// A deleted device has no key any more, so it cannot be told from a stranger: neither hears of a device whether it is there.
bool device_gateway::is_stranger(const result<messages::requester>& by) {
  return !by || by->kind == requester_kind::guest;
}

bool device_gateway::may_read(const messages::requester& by, const target& t) {
  if (by.kind == requester_kind::device && by.id == t.device) {
    if (!t.frozen) {
      heartbeats_.seen(t.device, t.poll_ms);
    }
    return true;
  }
  const auto view = s_->store.rows->view();
  const auto row = view->get(get().device.resource, t.device);
  const domain::access rights(*s_->model, by, *view);
  return row && rights.may_do(domain::action::read_state, s_->model->at("device"), *row);
}

std::shared_ptr<const target>
device_gateway::readable(const exchange& x, const std::string& uuid, response& otherwise) {
  const auto by = requester_of(*s_, x);
  if (is_stranger(by)) {
    // It says nothing about what a device should be, so a deleted one keeps what it runs.
    otherwise = empty_response(304);
    return nullptr;
  }
  auto t = targets_.find(uuid);
  if (!t || !may_read(*by, *t)) {
    otherwise = error_response(errc::unauthorized, "no such device, or not permitted");
    return nullptr;
  }
  if (t->frozen) {
    otherwise = empty_response(304);
    return nullptr;
  }
  return t;
}

awaitable<void> device_gateway::get_state(exchange& x, std::string uuid) {
  response refusal;
  const auto t = readable(x, uuid, refusal);
  if (!t) {
    co_return co_await x.respond(std::move(refusal));
  }
  co_await send_state(x, t->etag, t->body);
}

awaitable<void> device_gateway::get_state_v2(exchange& x, std::string uuid) {
  response refusal;
  const auto t = readable(x, uuid, refusal);
  if (!t) {
    co_return co_await x.respond(std::move(refusal));
  }
  const auto& document = t->v2();
  co_await send_state(x, document.etag, document.body);
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

bool device_gateway::may_report(const messages::requester& by, const target& t) const {
  if (by.kind == requester_kind::device) {
    return by.id == t.device;
  }
  const auto view = s_->store.rows->view();
  const auto row = view->get(get().device.resource, t.device);
  return row
         && domain::access(*s_->model, by, *view)
              .may_do(domain::action::report_state, s_->model->at("device"), *row);
}

result<std::shared_ptr<const target>> device_gateway::reporting(
  const messages::requester& by,
  const std::string& uuid) {
  auto t = targets_.find(uuid);
  if (!t || t->frozen || !may_report(by, *t)) {
    return fail(errc::unauthorized, "no such device, or not permitted to report for it");
  }
  return t;
}

awaitable<result<device_gateway::request>> device_gateway::read_report(exchange& x) {
  auto by = requester_of(*s_, x);
  if (!by || by->kind == requester_kind::guest || by->kind == requester_kind::fleet) {
    co_return fail(errc::unauthorized, "a device key is needed");
  }
  const auto body = co_await x.read_body(json_body_bytes_max);
  if (!body) {
    co_return tl::unexpected(body.error());
  }
  auto j = messages::parse_json(*body);
  if (!j) {
    co_return tl::unexpected(j.error());
  }
  if (!j->is_object() || j->empty() || j->size() > devices_per_report_max) {
    co_return fail(errc::invalid_argument, "the body must be an object of 1 to 1000 devices");
  }
  co_return request{std::move(*by), std::move(*j)};
}

awaitable<result<void>>
device_gateway::write_report(exchange& x, std::int64_t device, messages::report_state report) {
  // The limit is asked only when there is something to write, so that it does not begin anew for nothing.
  report.metrics_due = !report.metrics.empty() && metrics_.due(device, s_->now());
  const bool nothing = report.values.empty() && !report.has_apps && !report.metrics_due;
  if (nothing) {
    co_return result<void>{};
  }
  const messages::entity_ref entity{entity_kind::device, device};
  const auto done = co_await s_->ask->ask(x.executor(), entity, std::move(report));
  co_return done ? result<void>{} : tl::unexpected(done.error());
}

awaitable<void> device_gateway::report_state(exchange& x) {
  const auto asked = co_await read_report(x);
  if (!asked) {
    co_return co_await x.respond(error_response(asked.error()));
  }
  std::vector<std::pair<std::int64_t, messages::report_state>> reports;
  for (const auto& [uuid, part] : asked->body.items()) {
    const auto known = reporting(asked->by, uuid);
    auto report = known ? parse_report(part, names_, **known) : tl::unexpected(known.error());
    if (!report) {
      co_return co_await x.respond(error_response(report.error()));
    }
    report->by = asked->by;
    reports.emplace_back((*known)->device, std::move(*report));
  }
  for (auto& [id, report] : reports) {
    const auto done = co_await write_report(x, id, std::move(report));
    if (!done) {
      co_return co_await x.respond(error_response(done.error()));
    }
  }
  co_await x.respond(empty_response(200));
}

awaitable<void> device_gateway::report_state_v2(exchange& x, std::string uuid) {
  const auto by = requester_of(*s_, x);
  if (is_stranger(by)) {
    // A deleted device is let talk: an error would make it try for ever.
    co_return co_await x.respond(empty_response(200));
  }
  const auto asked = co_await read_report(x);
  const auto known = asked ? reporting(asked->by, uuid) : tl::unexpected(asked.error());
  auto report =
    known ? parse_report_v2(asked->body, names_, **known) : tl::unexpected(known.error());
  if (!report) {
    co_return co_await x.respond(error_response(report.error()));
  }
  const auto device = (*known)->device;
  if (!report->changes.empty()) {
    messages::change_row change;
    change.by = asked->by;
    change.resource = get().device.resource;
    change.id = device;
    change.values = std::move(report->changes);
    const messages::entity_ref entity{entity_kind::device, device};
    const auto changed = co_await s_->ask->ask(x.executor(), entity, std::move(change));
    if (!changed) {
      co_return co_await x.respond(error_response(changed.error()));
    }
  }
  report->report.by = asked->by;
  const auto done = co_await write_report(x, device, std::move(report->report));
  auto answer = done ? empty_response(200) : error_response(done.error());
  co_await x.respond(std::move(answer));
}

result<std::vector<field_value>>
device_gateway::parse_tag(std::int64_t device, const std::string& key, const json& v) const {
  if (!v.is_string()) {
    return fail(errc::invalid_argument, "a tag's value must be a text");
  }
  return odata::parse_body(
    s_->model->at("device_tag"),
    {{"device", device}, {"tag_key", key}, {"value", v}});
}

awaitable<result<void>> device_gateway::set_tag(
  exchange& x,
  const messages::requester& by,
  std::int64_t device,
  std::vector<field_value> values) {
  const auto& tags = get().device_tag;
  const messages::entity_ref entity{entity_kind::device, device};
  std::optional<std::int64_t> known;
  {
    const auto key = std::find_if(values.begin(), values.end(), [&](const field_value& v) {
      return v.field == tags.key;
    });
    const std::array<value, 2> pair{device, key->value};
    known = s_->store.rows->view()->first(tags.resource, domain::first_composite, pair);
  }
  if (known) {
    messages::change_row change;
    change.by = by;
    change.resource = tags.resource;
    change.id = *known;
    change.values = std::move(values);
    const auto done = co_await s_->ask->ask(x.executor(), entity, std::move(change));
    co_return done ? result<void>{} : tl::unexpected(done.error());
  }
  messages::create_row create;
  create.by = by;
  create.resource = tags.resource;
  create.values = std::move(values);
  const auto done = co_await s_->ask->ask(x.executor(), entity, std::move(create));
  co_return done ? result<void>{} : tl::unexpected(done.error());
}

awaitable<void> device_gateway::report_tags(exchange& x) {
  const auto asked = co_await read_report(x);
  if (!asked) {
    co_return co_await x.respond(error_response(asked.error()));
  }
  // All of them are checked before the first one is written.
  std::vector<std::pair<std::int64_t, std::vector<field_value>>> tags;
  for (const auto& [uuid, part] : asked->body.items()) {
    const auto known = reporting(asked->by, uuid);
    auto ok = !known              ? result<void>(tl::unexpected(known.error()))
              : !part.is_object() ? fail(errc::invalid_argument, "a device's tags are no object")
              : tags.size() + part.size() > tags_per_report_max
                ? fail(errc::invalid_argument, "more than 1000 tags")
                : result<void>{};
    for (auto it = part.begin(); ok && it != part.end(); ++it) {
      auto values = parse_tag((*known)->device, it.key(), *it);
      if (!values) {
        ok = tl::unexpected(values.error());
      } else {
        tags.emplace_back((*known)->device, std::move(*values));
      }
    }
    if (!ok) {
      co_return co_await x.respond(error_response(ok.error()));
    }
  }
  for (auto& [device, values] : tags) {
    const auto done = co_await set_tag(x, asked->by, device, std::move(values));
    if (!done) {
      co_return co_await x.respond(error_response(done.error()));
    }
  }
  co_await x.respond(empty_response(200));
}

}  // namespace slipway::gateways::device
