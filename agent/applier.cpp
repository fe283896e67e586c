#include "agent/applier.hpp"

#include "agent/actor_support.hpp"
#include "agent/state_report.hpp"
#include "messages/json.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <array>

namespace slipway::agent {

using domain::step_kind;

namespace {

/// `1`, `true` or `on` in any of its names.
bool overrides_locks(const domain::target_state& target) {
  static constexpr std::array names{
    "BALENA_SUPERVISOR_OVERRIDE_LOCK",
    "RESIN_SUPERVISOR_OVERRIDE_LOCK",
    "BALENA_OVERRIDE_LOCK",
    "RESIN_OVERRIDE_LOCK"};
  return std::any_of(names.begin(), names.end(), [&](const char* name) {
    const auto it = target.config.find(name);
    return it != target.config.end()
           && (it->second == "1" || it->second == "true" || it->second == "on");
  });
}

}  // namespace

void applier_state::arrived(const target_arrived& m) {
  device.name_at_init = m.target->name;
  if (links.configured) {
    links.configured(m.target->config);
  }
  auto next =
    std::make_shared<const domain::desired_state>(domain::make_desired(*m.target, device));
  for (const auto& warning : next->warnings) {
    runtime::log::warn("target", {{"about", warning}});
  }
  desired = std::move(next);
  actions->override_locks = overrides_locks(*m.target);
  remember_release();
  // What a bad release earned does not delay its repair.
  failures = 0;
  fetch_failures.clear();
  std::set<std::string> needed;
  for (const auto& [uuid, app] : desired->apps) {
    for (const auto& [service, s] : app.services) {
      needed.insert(s.image_key);
    }
  }
  if (fetch_runs && !needed.contains(fetch_queue.front().key)) {
    cancelled = true;
    links.cancel_fetch();
  }
  // What waits behind it and is not wanted any more never begins.
  std::deque<fetch_image> kept;
  for (std::size_t i = 0; i < fetch_queue.size(); ++i) {
    if ((i == 0 && fetch_runs) || needed.contains(fetch_queue[i].key)) {
      kept.push_back(fetch_queue[i]);
    } else {
      downloads.erase(fetch_queue[i].key);
    }
  }
  fetch_queue = std::move(kept);
  was_converged = false;
  begin_round();
}

void applier_state::confirmed(const target_confirmed& m) {
  if (!m.asked) {
    return;  // an ordinary poll must not shorten the pauses that failures earned
  }
  failures = 0;
  fetch_failures.clear();
  begin_round();
}

void applier_state::tick(const apply_tick& m) {
  if (m.round == round) {
    begin_round();
  }
}

void applier_state::begin_round() {
  if (!desired || actions->halted()) {
    return;
  }
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  again = false;
  ++round;  // a tick that is under way is stale now
  self->send(links.worker, take_snapshot{});
}

void applier_state::taken(const snapshot_taken& m) {
  busy = false;
  if (!m.state) {
    return failed(m.engine_down ? "engine not reachable: " + m.why : m.why);
  }
  last = m.state;
  plan_from(*m.state);
}

domain::plan_memory applier_state::memory() {
  domain::plan_memory m;
  for (const auto& f : fetch_queue) {
    m.fetching.insert(f.key);
  }
  const auto now = links.now();
  for (const auto& [key, f] : fetch_failures) {
    if (f.due > now) {
      m.fetch_delayed.insert(key);
    }
  }
  m.stopped_by_us = progress.stopped_by_us;
  actions->remind(m);
  for (const auto& [key, reference] : pulled) {
    m.images_pulled.insert(key);
  }
  return m;
}

void applier_state::plan_from(const domain::current_state& current) {
  auto asked_for = actions->look(current, *desired);
  if (actions->halted()) {
    return;  // the device is about to go down
  }
  if (!asked_for.empty()) {
    return start_steps(std::move(asked_for));
  }
  auto plan = domain::make_plan(current, *desired, memory());
  if (!plan.purged.empty()) {
    return actions->purged(plan.purged) ? plan_from(current)
                                        : failed("a purge could not be stored as over");
  }
  if (plan.empty_target_held) {
    runtime::log::warn("the target names no app at all; what runs is kept");
  }
  std::vector<domain::step> steps;
  for (auto& s : plan.steps) {
    if (s.kind == step_kind::fetch) {
      queue_fetch(s);
    } else {
      steps.push_back(std::move(s));
    }
  }
  start_next_fetch();
  steps = without_locked(std::move(steps));
  const bool converged = steps.empty() && !plan.waiting && fetch_queue.empty()
                         && !plan.empty_target_held && locked.empty();
  // Tidying up images is no part of the update that people wait for.
  const bool reached = !plan.waiting && fetch_queue.empty() && !plan.empty_target_held
                       && locked.empty()
                       && std::all_of(steps.begin(), steps.end(), [](const auto& s) {
                            return s.kind == step_kind::release_image;
                          });
  if (reached) {
    force = false;
    note_converged();
  }
  report(current, reached);
  if (steps.empty() && !locked.empty()) {
    return failed(locked);
  }
  if (converged) {
    failures = 0;
    return schedule(again ? apply_pause : apply_patrol);
  }
  if (!steps.empty()) {
    return start_steps(std::move(steps));
  }
  schedule(again ? apply_pause : next_fetch_due());
}

milliseconds applier_state::next_fetch_due() const {
  const auto now = links.now();
  auto due = now + apply_patrol;
  for (const auto& [key, f] : fetch_failures) {
    due = f.due > now ? std::min(due, f.due) : due;
  }
  return due - now;
}

/// What stops or renames a container waits for all update locks of its app: an app never shows two releases without consent.
std::vector<domain::step> applier_state::without_locked(std::vector<domain::step> steps) {
  std::set<std::string> needed;
  for (const auto& s : steps) {
    const bool wreck = std::any_of(
      last->containers.begin(),
      last->containers.end(),
      [&](const domain::current_container& c) {
        return c.id == s.id
               && (c.status == domain::container_status::dead || c.status == domain::container_status::created);
      });
    const bool disturbs = s.kind == step_kind::remove || s.kind == step_kind::stop
                          || s.kind == step_kind::rename || s.kind == step_kind::restart;
    if (disturbs && !wreck) {
      needed.insert(s.app);
    }
  }
  actions->unlock_all_but(needed);
  locked.clear();
  std::set<std::string> refused;
  for (const auto& app : needed) {
    if (const auto got = actions->lock(app, force); !got) {
      locked = got.error().detail;
      refused.insert(app);
    }
  }
  std::erase_if(steps, [&](const auto& s) { return refused.contains(s.app); });
  return steps;
}

void applier_state::start_steps(std::vector<domain::step> steps) {
  perform_steps m;
  for (const auto& s : steps) {
    // What people stop stays stopped; what the target stops is started when it says so again.
    const auto app = desired->apps.find(s.app);
    const bool by_target = app != desired->apps.end() && app->second.services.contains(s.service)
                           && !app->second.services.at(s.service).running;
    if (s.kind == step_kind::stop && by_target) {
      mark_stopped(s);
    }
    if (s.kind == step_kind::release_image) {
      const auto it = pulled.find(s.key);
      m.pulled.push_back(it == pulled.end() ? std::string() : it->second);
    }
  }
  m.steps = in_hand = std::move(steps);
  m.desired = desired;
  busy = true;
  self->send(links.worker, std::move(m));
}

/// On disk before the engine is told: a crash between the two costs a needless start later, not a service that stays down.
void applier_state::mark_stopped(const domain::step& s) {
  const auto before = progress;
  progress.stopped_by_us.insert(s.id);
  save_progress(before);
}

void applier_state::done(const steps_done& m) {
  busy = false;
  const bool ok = m.failed.empty();
  actions->done(in_hand, m.failed, m.failed_at, m.engine_down);
  if (ok) {
    const auto before = progress;
    bool images_changed = false;
    for (const auto& s : in_hand) {
      if (s.kind == step_kind::release_image) {
        images_changed = pulled.erase(s.key) > 0 || images_changed;
      } else if (s.kind == step_kind::start || s.kind == step_kind::remove) {
        progress.stopped_by_us.erase(s.id);
      }
    }
    save_progress(before);
    if (images_changed) {
      save_pulled();
    }
    failures = 0;
  }
  const bool only_waited = std::all_of(in_hand.begin(), in_hand.end(), [](const auto& s) {
    return s.kind == step_kind::wait;
  });
  // The same steps again: the engine took them and nothing changed. Without a pause that would be a busy loop.
  const bool no_effect = in_hand == done_last;
  done_last = std::move(in_hand);
  in_hand.clear();
  if (!ok) {
    return failed(m.failed);
  }
  schedule(only_waited || no_effect ? apply_wait : milliseconds(0));
}

void applier_state::asked(const action_asked& m) {
  if (!desired) {
    m.what->tell(messages::fail(messages::errc::unavailable, "no target state is known yet"));
    return;
  }
  if (actions->halted()) {
    m.what->tell(messages::fail(messages::errc::unavailable, "the device is going down"));
    return;
  }
  actions->add(std::move(*m.what));
  begin_round();
}

void applier_state::resume() {
  actions->resume();
  begin_round();
}

void applier_state::look_at(const view_wanted& m) {
  auto view = std::make_shared<domain::device_view>();
  view->uuid = device.uuid;
  view->name = device.name_at_init;
  view->device_type = device.device_type;
  view->arch = device.device_arch;
  view->os_version = device.os_version;
  view->desired = desired;
  view->current = last;
  view->downloads = downloads;
  view->running = progress.running;
  view->settled = last_converged;
  view->failed = failures > 0;
  const auto asker = caf::actor_cast<caf::actor>(self->current_sender());
  self->send(asker, view_taken{m.ticket, std::move(view)});
}

void applier_state::failed(const std::string& why) {
  const auto pause = backoff(apply_backoff_first, apply_backoff_max, failures);
  ++failures;
  runtime::log::warn(
    "apply failed",
    {{"why", why}, {"again_in_ms", std::to_string(pause.count())}});
  schedule(again ? apply_pause : pause);
}

void applier_state::schedule(milliseconds pause) {
  again = false;
  ++round;
  self->delayed_send(self, pause, apply_tick{round});
}

void applier_state::queue_fetch(const domain::step& s) {
  const bool there = std::any_of(fetch_queue.begin(), fetch_queue.end(), [&](const auto& f) {
    return f.key == s.key;
  });
  if (!there) {
    fetch_queue.push_back({s.image, s.key});
    downloads.emplace(s.key, 0);
  }
}

void applier_state::start_next_fetch() {
  if (fetch_runs || fetch_queue.empty()) {
    return;
  }
  record_pull(fetch_queue.front());
  fetch_runs = true;
  cancelled = false;
  self->send(links.fetch_worker, fetch_image{fetch_queue.front()});
}

/// Recorded before it begins: what a crash leaves half pulled is found and cleaned up. An image that people brought is not
/// recorded, so that giving it up never deletes it.
void applier_state::record_pull(const fetch_image& f) {
  if (pulled.contains(f.key) || (last && last->foreign_images.contains(f.image))) {
    return;
  }
  pulled[f.key] = f.image;
  save_pulled();
}

void applier_state::save_pulled() {
  if (auto saved = store->save_images(pulled); !saved) {
    runtime::log::error("image records not stored", {{"why", saved.error().detail}});
  }
}

void applier_state::progressed(const image_progress& m) {
  if (downloads.contains(m.key)) {
    downloads[m.key] = m.percent;
  }
  if (last && desired) {
    report(*last, false);
  }
}

void applier_state::fetched(const image_fetched& m) {
  fetch_runs = false;
  if (!fetch_queue.empty() && fetch_queue.front().key == m.key) {
    fetch_queue.pop_front();
  }
  downloads.erase(m.key);
  if (m.failed.empty()) {
    fetch_failures.erase(m.key);
  } else if (!cancelled) {
    auto& f = fetch_failures[m.key];
    const auto pause = backoff(apply_backoff_first, apply_backoff_max, f.count++);
    f.due = links.now() + pause;
    runtime::log::warn(
      "pull failed",
      {{"why", m.failed}, {"again_in_ms", std::to_string(pause.count())}});
  }
  start_next_fetch();
  begin_round();
}

/// So that containers of an earlier release can be reported with their image.
void applier_state::remember_release() {
  const auto before = progress;
  for (const auto& [uuid, app] : desired->apps) {
    if (!app.commit.empty()) {
      auto& services = progress.releases[app.commit];
      services.clear();
      for (const auto& [service, s] : app.services) {
        services[service] = s.image;
      }
    }
  }
  // Forgotten are those that neither run nor shall run, oldest knowledge has no order to go by.
  for (auto it = progress.releases.begin();
       it != progress.releases.end() && progress.releases.size() > releases_remembered_max;) {
    const auto& commit = it->first;
    const bool wanted =
      std::any_of(
        desired->apps.begin(),
        desired->apps.end(),
        [&](const auto& a) { return a.second.commit == commit; })
      || std::any_of(progress.running.begin(), progress.running.end(), [&](const auto& r) {
           return r.second == commit;
         });
    it = wanted ? std::next(it) : progress.releases.erase(it);
  }
  save_progress(before);
}

void applier_state::note_converged() {
  const auto before = progress;
  for (const auto& [uuid, app] : desired->apps) {
    if (app.commit.empty()) {
      progress.running.erase(uuid);
    } else {
      progress.running[uuid] = app.commit;
    }
  }
  if (!was_converged) {
    was_converged = true;
    runtime::log::info("target reached");
    SLIPWAY_FAILPOINT("agent.apply.reached");
  }
  save_progress(before);
}

void applier_state::save_progress(const state_store::progress& before) {
  if (before == progress) {
    return;
  }
  if (auto saved = store->save_progress(progress); !saved) {
    runtime::log::error("progress not stored", {{"why", saved.error().detail}});
  }
}

void applier_state::report(const domain::current_state& current, bool converged) {
  last_converged = converged;
  const auto apps = report_apps({current, *desired, downloads, progress, converged, device.uuid});
  self->send(
    links.reporter,
    state_changed{std::make_shared<const std::string>(messages::dump_json(apps))});
}

caf::behavior applier(
  caf::stateful_actor<applier_state>* self,
  state_store* store,
  domain::device_context device,
  applier_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  auto& s = self->state;
  s.self = self;
  s.store = store;
  s.device = std::move(device);
  s.links = std::move(links);
  s.actions.emplace(*store, *s.links.locks, s.links.now);
  s.progress = store->load_progress();
  s.pulled = store->load_images();
  // The stored target is carried out at once, with or without a network.
  const auto stored = store->load_target();
  if (auto target = domain::parse_target(stored.body, s.device.uuid)) {
    self->send(
      self,
      target_arrived{std::make_shared<const domain::target_state>(std::move(*target))});
  }
  return {
    [self](const target_arrived& m) { self->state.arrived(m); },
    [self](const target_confirmed& m) { self->state.confirmed(m); },
    [self](const apply_tick& m) { self->state.tick(m); },
    [self](const snapshot_taken& m) { self->state.taken(m); },
    [self](const steps_done& m) { self->state.done(m); },
    [self](const image_progress& m) { self->state.progressed(m); },
    [self](const image_fetched& m) { self->state.fetched(m); },
    [self](const action_asked& m) { self->state.asked(m); },
    [self](const view_wanted& m) { self->state.look_at(m); },
    [self](const force_update&) { self->state.force = true; },
    [self](const work_again&) { self->state.resume(); },
  };
}

}  // namespace slipway::agent
