#include "agent/supervisor.hpp"

#include "agent/actor_support.hpp"
#include "agent/engine_worker.hpp"
#include "agent/fetcher.hpp"
#include "runtime/log.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace slipway::agent {

template <class F, class... Ts>
caf::actor supervisor_state::start(const char* what, F behavior, Ts&&... arguments) {
  auto child =
    world.detach
      ? self->spawn<caf::monitored + caf::detached>(behavior, std::forward<Ts>(arguments)...)
      : self->spawn<caf::monitored>(behavior, std::forward<Ts>(arguments)...);
  living.emplace(child->address(), what);
  return child;
}

void supervisor_state::boot() {
  // A device that is registered already works at once, with or without a network.
  start_provisioner();
}

void supervisor_state::start_provisioner() {
  start(
    "identity",
    provisioner,
    world.config,
    world.work,
    provisioner_links{caf::actor(self), settings.provision_retry, world.random});
}

void supervisor_state::registered_as(const registered& m) {
  if (stopping || failed) {
    return;  // said before the provisioner heard of it; who starts now would never be told to end
  }
  identity = m;
  world.identity_known(m);
  start_workers();
}

namespace {

/// Logs are shipped unless the device's configuration says no.
bool wants_logs(const std::map<std::string, std::string>& config) {
  for (const char* name : {"BALENA_SUPERVISOR_LOG_CONTROL", "RESIN_SUPERVISOR_LOG_CONTROL"}) {
    const auto it = config.find(name);
    if (it != config.end()) {
      return it->second != "false" && it->second != "0" && it->second != "off";
    }
  }
  return true;
}

}  // namespace

void supervisor_state::start_logs() {
  if (world.log_api == nullptr) {
    return;
  }
  const auto stored = domain::parse_target(world.store->load_target().body, identity.uuid);
  logs_on = !stored || wants_logs(stored->config);
  log_uploader_actor = start(
    "log uploader",
    log_uploader,
    world.log_api,
    world.log_queue,
    log_uploader_settings{identity.uuid, identity.device_key},
    log_uploader_links{world.now, world.wall_ms});
  log_collector_actor = start(
    "log collector",
    log_collector,
    world.log_output,
    world.log_queue,
    log_collector_links{log_uploader_actor, world.now, world.wall_ms});
  if (!logs_on) {
    self->send(log_uploader_actor, log_control{false});
    self->send(log_collector_actor, log_control{false});
  } else if (!said_start) {
    said_start = true;
    self->send(log_collector_actor, log_say{"Agent starting", 0, false});
  }
}

void supervisor_state::start_workers() {
  settings.device.uuid = identity.uuid;
  start_logs();
  device_say say;
  std::function<void(const std::map<std::string, std::string>&)> configured;
  if (log_collector_actor) {
    say = [to = log_collector_actor](std::string text, std::int64_t service, bool error) {
      caf::anon_send(to, log_say{std::move(text), service, error});
    };
    configured = [collector = log_collector_actor,
                  uploader = log_uploader_actor](const std::map<std::string, std::string>& config) {
      const log_control m{wants_logs(config)};
      caf::anon_send(collector, m);
      caf::anon_send(uploader, m);
    };
  }
  const auto reporting = start(
    "reporter",
    reporter,
    world.report_api,
    world.store,
    reporter_settings{
      identity.uuid,
      identity.device_key,
      settings.report_gap,
      milliseconds(300'000),
      settings.poll_interval,
      48484,
      api_secret()},
    reporter_links{world.host, world.now});
  const auto engine = start("engine", engine_worker, world.engine, say);
  const auto fetching = start("fetcher", fetcher, world.fetch_engine, say);
  // The applier never blocks, so it shares the scheduler's threads.
  const auto applying = self->spawn<caf::monitored>(
    applier,
    world.store,
    settings.device,
    applier_links{
      reporting,
      engine,
      fetching,
      [host = world.fetch_engine] { host->cancel(); },
      world.now,
      world.locks,
      std::move(configured)});
  living.emplace(applying->address(), "applier");
  poller_actor = start(
    "poller",
    poller,
    world.poll_api,
    world.store,
    poller_settings{
      identity.uuid,
      identity.device_key,
      settings.poll_interval,
      settings.poll_interval_is_fixed},
    poller_links{
      applying,
      reporting,
      // The link comes later, and may be another one by then: acknowledgements go through here.
      [me = caf::actor(self)](std::uint64_t id) { caf::anon_send(me, notice_handled{id}); },
      world.random});
  api_actor = start(
    "api",
    local_api,
    local_api_settings{identity.uuid, identity.device_key},
    local_api_links{
      applying,
      poller_actor,
      reporting,
      world.host,
      world.control,
      world.local_api,
      world.store,
      world.now,
      world.new_secret});
  if (link_allowed) {
    start_link();
  }
}

/// Made once and kept: containers are given it, and must not be made anew because of another one.
std::string supervisor_state::api_secret() {
  auto secret = world.store->load_api_secret();
  if (secret.empty()) {
    secret = world.new_secret();
    if (auto saved = world.store->save_api_secret(secret); !saved) {
      runtime::log::warn("API key not stored", {{"why", saved.error().detail}});
    }
  }
  return secret;
}

void supervisor_state::announced_now() {
  link_allowed = true;
  if (poller_actor && !link && !stopping && !failed) {
    start_link();
  }
}

void supervisor_state::start_link() {
  if (!world.overlay) {
    runtime::log::info("no overlay configured; working by polling alone");
    return;
  }
  const overlay_factory make = [make = world.overlay, uuid = identity.uuid](link_callbacks c) {
    return make(uuid, std::move(c));
  };
  link = start("link", link_actor, make, poller_actor, api_actor);
}

void supervisor_state::kill_all() {
  poller_actor = nullptr;
  api_actor = nullptr;
  link = nullptr;
  log_collector_actor = nullptr;
  log_uploader_actor = nullptr;
  world.cancel_calls();
  for (const auto& [address, what] : living) {
    if (const auto child = caf::actor_cast<caf::actor>(address)) {
      self->send_exit(child, caf::exit_reason::user_shutdown);
    }
  }
  self->delayed_send(self, std::chrono::milliseconds(200), stop_tick{});
}

void supervisor_state::down(const caf::down_msg& m) {
  const auto it = living.find(m.source);
  if (it == living.end()) {
    return;
  }
  const bool expected = m.reason == caf::exit_reason::normal || failed || stopping;
  if (!expected) {
    runtime::log::error(
      "actor ended, all start afresh",
      {{"actor", it->second}, {"why", self->system().render(m.reason)}});
    failed = true;
  }
  living.erase(it);
  if (stopping) {
    if (living.empty()) {
      self->quit(caf::exit_reason::normal);
    }
    return;
  }
  if (failed && living.empty()) {
    const auto pause = backoff(revive_backoff_first, revive_backoff_max, failures);
    ++failures;
    self->delayed_send(self, pause, revive{});
  } else if (failed && !expected) {
    kill_all();
  }
}

void supervisor_state::revive_workers() {
  if (stopping) {
    return;
  }
  failed = false;
  link_allowed = false;  // the new provisioner says so again
  start_provisioner();
}

/// A call may have begun just after the last cancel.
void supervisor_state::cancel_again() {
  if ((stopping || failed) && !living.empty()) {
    world.cancel_calls();
    self->delayed_send(self, std::chrono::milliseconds(200), stop_tick{});
  }
}

void supervisor_state::stop(const caf::error&) {
  if (stopping) {
    return;
  }
  stopping = true;
  if (living.empty()) {
    self->quit(caf::exit_reason::normal);
    return;
  }
  kill_all();
}

caf::behavior supervisor(
  caf::stateful_actor<supervisor_state>* self,
  agent_world world,
  agent_settings settings) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.world = std::move(world);
  s.settings = std::move(settings);
  self->set_down_handler([](caf::scheduled_actor* who, caf::down_msg& m) {
    static_cast<caf::stateful_actor<supervisor_state>*>(who)->state.down(m);
  });
  self->set_exit_handler([](caf::scheduled_actor* who, caf::exit_msg& m) {
    static_cast<caf::stateful_actor<supervisor_state>*>(who)->state.stop(m.reason);
  });
  s.boot();
  return {
    [self](const registered& m) { self->state.registered_as(m); },
    [self](const announced&) { self->state.announced_now(); },
    [self](const revive&) { self->state.revive_workers(); },
    [self](const stop_tick&) { self->state.cancel_again(); },
    [self](const notice_handled& m) {
      if (self->state.link) {
        self->send(self->state.link, m);
      }
    },
  };
}

}  // namespace slipway::agent
