#include "agent/log_uploader.hpp"

#include "agent/actor_support.hpp"
#include "messages/json.hpp"
#include "runtime/log.hpp"

namespace slipway::agent {
namespace {

std::string lost_record(std::uint64_t lost, std::int64_t now_ms) {
  return messages::dump_json(
           {{"message",
             std::to_string(lost) + " log lines were dropped because the device's queue was full"},
            {"timestamp", now_ms},
            {"isSystem", true},
            {"isStdErr", true}})
         + "\n";
}

}  // namespace

void log_uploader_state::wake(milliseconds pause) {
  waiting = true;
  self->delayed_send(self, pause, log_tick{++round});
}

void log_uploader_state::ready() {
  if (!waiting && on) {
    const auto since = links.now() - shipped;
    wake(since >= log_ship_gap ? log_first_wait : log_ship_gap - since);
  }
}

void log_uploader_state::tick(const log_tick& m) {
  if (m.round != round) {
    return;
  }
  waiting = false;
  if (on) {
    ship();
  }
}

void log_uploader_state::control(const log_control& m) {
  on = m.on;
  if (on) {
    ready();
  }
}

void log_uploader_state::ship() {
  auto p = queue->peek(log_portion_bytes_max);
  if (!p) {
    runtime::log::warn("log queue", {{"why", p.error().detail}});
    return wake(log_backoff_first);
  }
  if (p->text.empty()) {
    return;  // `log_ready` comes with the next record
  }
  auto body = p->lost > 0 ? lost_record(p->lost, links.wall_ms()) + p->text : p->text;
  shipped = links.now();
  const auto got = api->post_logs(settings.uuid, std::move(body), settings.device_key);
  if (got && got->ok()) {
    accepted(*p);
  } else {
    refused(*p, got);
  }
}

void log_uploader_state::accepted(const log_portion& p) {
  if (failures > 0) {
    runtime::log::info("platform takes logs again");
  }
  failures = refusals = 0;
  if (const auto done = queue->drop(p); !done) {
    runtime::log::warn("log queue", {{"why", done.error().detail}});
    return wake(log_backoff_first);
  }
  wake(log_ship_gap);
}

void log_uploader_state::refused(const log_portion& p, const platform_api::result& got) {
  const auto why = got ? "answer " + std::to_string(got->status) : got.error().detail;
  const bool malformed = got && (got->status == 400 || got->status == 413 || got->status == 415);
  refusals = malformed ? refusals + 1 : 0;
  if (refusals >= log_refusals_max) {
    runtime::log::error(
      "log records given up",
      {{"why", why}, {"records", std::to_string(p.lines)}});
    return accepted(p);
  }
  auto pause = backoff(log_backoff_first, log_backoff_max, failures);
  if (got && got->retry_after && got->retry_after->count() > 0) {
    pause = std::min(log_backoff_max, milliseconds(*got->retry_after));
  }
  if (failures++ == 0) {
    runtime::log::warn(
      "logs not shipped",
      {{"why", why}, {"again_in_ms", std::to_string(pause.count())}});
  }
  wake(pause);
}

caf::behavior log_uploader(
  caf::stateful_actor<log_uploader_state>* self,
  platform_api* api,
  log_queue_port* queue,
  log_uploader_settings settings,
  log_uploader_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.api = api;
  s.queue = queue;
  s.settings = std::move(settings);
  s.links = std::move(links);
  self->send(self, log_ready{});  // what an earlier run left
  return {
    [self](const log_ready&) { self->state.ready(); },
    [self](const log_tick& m) { self->state.tick(m); },
    [self](const log_control& m) { self->state.control(m); },
  };
}

}  // namespace slipway::agent
