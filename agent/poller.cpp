#include "agent/poller.hpp"

#include "agent/actor_support.hpp"
#include "messages/json.hpp"
#include "runtime/log.hpp"

#include <charconv>

namespace slipway::agent {

void poller_state::now(const poll_now& m) {
  if (m.notice != 0) {
    if (notices.size() >= notices_pending_max) {
      notices.erase(notices.begin());
    }
    notices.push_back(m.notice);
  }
  // Notices that wait behind this one in the mailbox share the poll: it is queued behind them.
  if (!poll_is_due) {
    poll_is_due = true;
    ++round;
    self->send(self, poll_tick{round});
  }
}

void poller_state::tick(const poll_tick& m) {
  if (m.round == round) {
    poll();
  }
}

void poller_state::poll() {
  poll_is_due = false;
  const auto reply = api->get_state(settings.uuid, etag, settings.device_key);
  if (!reply) {
    return failed(reply.error().detail, std::nullopt);
  }
  if (reply->status == 304) {
    // The platform also answers 304 to devices it has deleted or frozen. Without a target of ours it means nothing.
    if (etag.empty()) {
      return failed("answer 304 though no target is known here", reply->retry_after);
    }
    self->send(links.applier, target_confirmed{!notices.empty()});
    return succeeded();
  }
  if (!reply->ok()) {
    return failed("answer " + std::to_string(reply->status), reply->retry_after);
  }
  accept(*reply);
}

void poller_state::accept(const platform_api::reply& reply) {
  auto body = messages::parse_json(reply.body);
  auto target = body ? domain::parse_target(*body, settings.uuid)
                     : messages::result<domain::target_state>(tl::unexpected(body.error()));
  if (!target) {
    // All or nothing: the target in force stays, and people are told.
    self->send(links.reporter, status_changed{"Invalid target state"});
    return failed("target refused: " + target.error().detail, reply.retry_after);
  }
  if (auto saved = store->save_target({reply.etag, std::move(*body)}); saved) {
    etag = reply.etag;
  } else {
    // Carry it out all the same; without the etag the next poll brings it again.
    runtime::log::error("target not stored", {{"why", saved.error().detail}});
    etag.clear();
  }
  take_interval(*target);
  self->send(
    links.applier,
    target_arrived{std::make_shared<const domain::target_state>(std::move(*target))});
  self->send(links.reporter, status_changed{"Idle"});
  succeeded();
}

void poller_state::take_interval(const domain::target_state& target) {
  if (settings.interval_is_fixed) {
    return;
  }
  for (const char* variable :
       {"BALENA_SUPERVISOR_POLL_INTERVAL", "RESIN_SUPERVISOR_POLL_INTERVAL"}) {
    const auto it = target.config.find(variable);
    if (it == target.config.end()) {
      continue;
    }
    std::int64_t ms = 0;
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), ms);
    if (ms > 0) {
      settings.interval = std::clamp(milliseconds(ms), poll_interval_min, poll_interval_max);
      return;
    }
  }
}

void poller_state::succeeded() {
  if (failures > 0) {
    runtime::log::info("platform answers again");
  }
  failures = 0;
  for (const auto id : notices) {
    links.acknowledge(id);
  }
  notices.clear();
  const auto jitter = std::min(poll_jitter_max, settings.interval / 4);
  schedule(
    settings.interval + milliseconds(links.random(static_cast<std::uint64_t>(jitter.count()))));
}

void poller_state::failed(const std::string& why, std::optional<std::chrono::seconds> retry_after) {
  const auto pause = retry_after && retry_after->count() > 0
                       ? milliseconds(*retry_after)
                       : backoff(poll_backoff_first, settings.interval, failures);
  ++failures;
  runtime::log::warn("poll failed", {{"why", why}, {"again_in_ms", std::to_string(pause.count())}});
  // Jitter here too: a platform that comes back must not meet all devices in the same second.
  schedule(pause + milliseconds(links.random(static_cast<std::uint64_t>(pause.count() / 10))));
}

void poller_state::schedule(milliseconds pause) {
  ++round;
  self->delayed_send(self, pause, poll_tick{round});
}

caf::behavior poller(
  caf::stateful_actor<poller_state>* self,
  platform_api* api,
  state_store* store,
  poller_settings settings,
  poller_links links) {
  self->set_default_handler(drop_unexpected);
  auto& s = self->state;
  s.self = self;
  s.api = api;
  s.store = store;
  s.settings = std::move(settings);
  s.links = std::move(links);
  const auto stored = store->load_target();
  // An etag counts only together with a target that is good.
  if (const auto target = domain::parse_target(stored.body, s.settings.uuid)) {
    s.etag = stored.etag;
    s.take_interval(*target);
  }
  self->send(self, poll_now{});
  return {
    [self](const poll_now& m) { self->state.now(m); },
    [self](const poll_tick& m) { self->state.tick(m); },
  };
}

}  // namespace slipway::agent
