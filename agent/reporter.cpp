#include "agent/reporter.hpp"

#include "agent/actor_support.hpp"
#include "agent/provisioning.hpp"
#include "agent/state_report.hpp"
#include "runtime/log.hpp"

#include <algorithm>

namespace slipway::agent {

using json = nlohmann::json;

void reporter_state::apps(const state_changed& m) {
  // Our own text: it parses.
  wanted["apps"] = json::parse(*m.apps);
  apps_known = true;
  plan_next();
}

void reporter_state::status(const status_changed& m) {
  wanted["status"] = m.status;
  plan_next();
}

void reporter_state::secret(const secret_changed& m) {
  wanted["api_secret"] = m.api_secret;
  plan_next();
}

void reporter_state::tick(const report_tick& m) {
  if (m.round == round) {
    send_report();
  }
}

/// When to look next: as soon as the gap and the back-off allow if there is news, else when metrics are due.
void reporter_state::plan_next() {
  const auto now = links.now();
  const bool news = !report_difference(accepted_last, wanted).empty();
  auto due = news ? sent_last + settings.gap_min : metrics_due;
  due = std::max(due, blocked_until);
  wake(std::max(milliseconds(0), due - now));
}

void reporter_state::wake(milliseconds pause) {
  ++round;
  self->delayed_send(self, pause, report_tick{round});
}

void reporter_state::send_report() {
  const auto now = links.now();
  if (now < blocked_until) {
    return plan_next();
  }
  if (now >= metrics_due) {
    wanted.update(report_host(links.host->facts(), links.host->metrics()));
    metrics_due = now + settings.metrics_every;
  }
  const auto difference = report_difference(accepted_last, wanted);
  if (difference.empty()) {
    return plan_next();
  }
  sent_last = now;
  const auto sent = wanted;
  const auto reply = api->patch_state({{settings.uuid, difference}}, settings.device_key);
  if (!reply) {
    return refused(reply.error().detail, std::nullopt);
  }
  if (!reply->ok()) {
    if (reply->status >= 400 && reply->status < 500) {
      // What the platform knows is not what we think: begin again with the whole.
      accepted_last = nullptr;
    }
    return refused(
      "answer " + std::to_string(reply->status) + ": " + reply->body.substr(0, 200),
      reply->retry_after);
  }
  accepted(sent);
}

void reporter_state::accepted(json sent) {
  failures = 0;
  accepted_last = std::move(sent);
  if (auto saved = store->save_report(accepted_last); !saved) {
    runtime::log::warn("report not stored", {{"why", saved.error().detail}});
  }
  plan_next();
}

void reporter_state::refused(
  const std::string& why,
  std::optional<std::chrono::seconds> retry_after) {
  const auto pause = retry_after && retry_after->count() > 0
                       ? milliseconds(*retry_after)
                       : backoff(report_backoff_first, settings.backoff_max, failures);
  ++failures;
  blocked_until = links.now() + pause;
  runtime::log::warn(
    "report failed",
    {{"why", why}, {"again_in_ms", std::to_string(pause.count())}});
  plan_next();
}

caf::behavior reporter(
  caf::stateful_actor<reporter_state>* self,
  platform_api* api,
  state_store* store,
  reporter_settings settings,
  reporter_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.api = api;
  s.store = store;
  s.settings = std::move(settings);
  s.links = std::move(links);
  s.accepted_last = store->load_report();
  s.sent_last = s.links.now() - s.settings.gap_min;
  s.metrics_due = s.links.now();
  s.wanted = {
    {"status", "Idle"},
    {"supervisor_version", reported_supervisor_version},
    {"api_port", s.settings.api_port},
    {"provisioning_state", nullptr},
    {"provisioning_progress", nullptr}};
  if (!s.settings.api_secret.empty()) {
    s.wanted["api_secret"] = s.settings.api_secret;
  }
  s.plan_next();
  return {
    [self](const state_changed& m) { self->state.apps(m); },
    [self](const status_changed& m) { self->state.status(m); },
    [self](const secret_changed& m) { self->state.secret(m); },
    [self](const report_tick& m) { self->state.tick(m); },
  };
}

}  // namespace slipway::agent
