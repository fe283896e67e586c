#include "agent/user_actions.hpp"

#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <utility>

namespace slipway::agent {

using domain::container_status;
using domain::current_container;
using domain::step;
using domain::step_kind;
using messages::errc;
using messages::fail;
using messages::result;
using kind = domain::api_action_kind;

namespace {

bool is_up(const current_container& c) {
  return c.status == container_status::running || c.status == container_status::paused
         || c.status == container_status::restarting;
}

bool is_wreck(const current_container& c) {
  return c.status == container_status::dead || c.status == container_status::removing;
}

}  // namespace

user_actions::user_actions(
  state_store& store,
  update_locks& locks,
  std::function<milliseconds()> now)
  : store_(store), locks_(locks), now_(std::move(now)), purging_(store.load_purges()) {}

void user_actions::add(asked_action a) {
  if (queue_.size() >= waiting_max) {
    a.tell(fail(errc::unavailable, "too many actions wait on this device"));
    return;
  }
  queue_.push_back(std::move(a));
}

void user_actions::finish(const result<std::string>& outcome) {
  const auto a = std::move(queue_.front());
  queue_.pop_front();
  phase_ = phase::fresh;
  restart_.clear();
  replaced_.clear();
  awaited_.clear();
  affected_.clear();
  runtime::log::info(
    "action",
    {{"do", std::string(domain::name(a.action.kind))},
     {"service", a.action.service},
     {"outcome", outcome ? "done" : outcome.error().detail}});
  a.tell(outcome);
}

const current_container* user_actions::container_of(
  const std::string& app,
  const std::string& service) const {
  const current_container* found = nullptr;
  for (const auto& c : current_->containers) {
    if (
      c.app_uuid == app && c.service == service && !is_wreck(c)
      && (found == nullptr || found->created < c.created)) {
      found = &c;
    }
  }
  return found;
}

std::set<std::string> user_actions::services_of(const std::string& app) const {
  std::set<std::string> out;
  if (const auto it = desired_->apps.find(app); it != desired_->apps.end()) {
    for (const auto& [service, s] : it->second.services) {
      out.insert(service);
    }
  }
  for (const auto& c : current_->containers) {
    if (c.app_uuid == app) {
      out.insert(c.service);
    }
  }
  return out;
}

std::int64_t user_actions::id_of(const std::string& app) const {
  if (const auto it = desired_->apps.find(app); it != desired_->apps.end()) {
    return it->second.id;
  }
  for (const auto& c : current_->containers) {
    if (c.app_uuid == app && c.app_id != 0) {
      return c.app_id;
    }
  }
  return 0;
}

result<void> user_actions::lock(const std::string& app, bool force) {
  if (locked_.contains(app)) {
    return {};
  }
  const auto id = id_of(app);
  if (id == 0) {
    return {};
  }
  auto taken = locks_.take(id, services_of(app), force || override_locks);
  if (!taken && taken.error().code != errc::locked) {
    // A folder that cannot be written holds nobody's lock either; updates must not stop for ever because of it.
    runtime::log::warn("update locks cannot be taken", {{"why", taken.error().detail}});
    return {};
  }
  if (taken) {
    locked_[app] = id;
  }
  return taken;
}

void user_actions::unlock_all_but(const std::set<std::string>& apps) {
  if (halted_) {
    return;
  }
  std::erase_if(locked_, [&](const auto& held) {
    const bool needed =
      apps.contains(held.first)
      || (!queue_.empty() && phase_ != phase::fresh && queue_.front().action.app_uuid == held.first);
    if (!needed) {
      locks_.release(held.second);
    }
    return !needed;
  });
}

void user_actions::unlock_all() {
  for (const auto& [app, id] : locked_) {
    locks_.release(id);
  }
  locked_.clear();
}

void user_actions::resume() {
  halted_ = false;
  unlock_all();
}

std::vector<step> user_actions::look(
  const domain::current_state& current,
  const domain::desired_state& desired) {
  current_ = &current;
  desired_ = &desired;
  std::vector<step> steps;
  while (!queue_.empty() && steps.empty()) {
    const bool late = now_() > queue_.front().deadline;
    if (phase_ == phase::fresh) {
      if (late) {
        finish(fail(errc::timed_out, "not begun in time"));
        continue;
      }
      const auto waiting = queue_.size();
      steps = begin();
      if (queue_.size() == waiting && phase_ == phase::acting) {
        break;
      }
    } else if (phase_ == phase::settling && settled()) {
      finish(affected_);
    } else if (late) {
      finish(fail(errc::timed_out, "begun, but not over in time"));
    } else {
      break;
    }
  }
  return steps;
}

std::vector<step> user_actions::begin() {
  const auto& a = queue_.front().action;
  if (a.kind == kind::reboot || a.kind == kind::shutdown) {
    begin_host();
    return {};
  }
  const auto app = desired_->apps.find(a.app_uuid);
  if (app == desired_->apps.end()) {
    finish(fail(errc::not_found, "App " + std::to_string(a.app_id) + " not found"));
    return {};
  }
  if (auto locked = lock(a.app_uuid, a.force); !locked) {
    finish(tl::unexpected(locked.error()));
    return {};
  }
  switch (a.kind) {
    case kind::start_service:
    case kind::stop_service:
      return begin_service(app->second);
    case kind::restart:
    case kind::restart_service:
      return begin_restart(app->second);
    case kind::purge:
      return begin_purge(app->second);
    default:
      finish(fail(errc::unsupported, "no action on containers"));
      return {};
  }
}

/// A stopped service stays stopped: a container that has run is not started by a plan. A new release or a restart makes a
/// new container, which is.
std::vector<step> user_actions::begin_service(const domain::desired_app& app) {
  const auto& a = queue_.front().action;
  const auto* c = container_of(app.uuid, a.service);
  if (c == nullptr) {
    finish(fail(errc::not_found, "Service " + a.service + " has no container"));
    return {};
  }
  const bool start = a.kind == kind::start_service;
  if (is_up(*c) == start) {
    finish(c->id);
    return {};
  }
  phase_ = phase::acting;
  affected_ = c->id;
  return {{start ? step_kind::start : step_kind::stop, app.uuid, a.service, c->id, "", ""}};
}

std::vector<step> user_actions::begin_restart(const domain::desired_app& app) {
  const auto& a = queue_.front().action;
  for (const auto& c : current_->containers) {
    if (c.app_uuid == app.uuid && !is_wreck(c) && (a.service.empty() || c.service == a.service)) {
      restart_.insert(c.id);
    }
  }
  if (!a.service.empty() && restart_.empty()) {
    finish(fail(errc::not_found, "Service " + a.service + " has no container"));
    return {};
  }
  for (const auto& [service, s] : app.services) {
    const auto* c = container_of(app.uuid, service);
    if (c != nullptr && restart_.contains(c->id) && s.running) {
      awaited_.insert(service);
    }
  }
  phase_ = restart_.empty() ? phase::settling : phase::acting;
  return {};
}

std::vector<step> user_actions::begin_purge(const domain::desired_app& app) {
  auto noted = purging_;
  noted.insert(app.uuid);
  if (auto saved = store_.save_purges(noted); !saved) {
    finish(tl::unexpected(messages::with_context("the purge was not begun", saved.error())));
    return {};
  }
  SLIPWAY_FAILPOINT("agent.purge.noted");
  purging_ = std::move(noted);
  for (const auto& [service, s] : app.services) {
    if (s.running) {
      awaited_.insert(service);
    }
  }
  for (const auto& c : current_->containers) {
    if (c.app_uuid == app.uuid) {
      replaced_.insert(c.id);
    }
  }
  phase_ = phase::acting;
  return {};
}

/// All locks of the device; then it is held still until it goes down or `resume`.
void user_actions::begin_host() {
  const bool force = queue_.front().action.force;
  std::set<std::string> apps;
  for (const auto& [uuid, app] : desired_->apps) {
    apps.insert(uuid);
  }
  for (const auto& c : current_->containers) {
    apps.insert(c.app_uuid);
  }
  for (const auto& app : apps) {
    if (auto locked = lock(app, force); !locked) {
      unlock_all();
      finish(tl::unexpected(locked.error()));
      return;
    }
  }
  halted_ = true;
  finish(std::string());
}

bool user_actions::settled() const {
  const auto& app = queue_.front().action.app_uuid;
  return std::all_of(awaited_.begin(), awaited_.end(), [&](const std::string& service) {
    const auto wanted = desired_->apps.find(app);
    if (wanted == desired_->apps.end() || !wanted->second.services.contains(service)) {
      return true;  // another target came meanwhile
    }
    const auto* c = container_of(app, service);
    return c != nullptr && !replaced_.contains(c->id) && c->status != container_status::created;
  });
}

void user_actions::remind(domain::plan_memory& memory) const {
  memory.restart = restart_;
  memory.purge = purging_;
}

bool user_actions::purged(const std::set<std::string>& apps) {
  auto left = purging_;
  for (const auto& app : apps) {
    left.erase(app);
  }
  SLIPWAY_FAILPOINT("agent.purge.emptied");
  if (auto saved = store_.save_purges(left); !saved) {
    runtime::log::error("purge not stored as over", {{"why", saved.error().detail}});
    return false;
  }
  SLIPWAY_FAILPOINT("agent.purge.over");
  purging_ = std::move(left);
  if (
    !queue_.empty() && phase_ == phase::acting && queue_.front().action.kind == kind::purge
    && apps.contains(queue_.front().action.app_uuid)) {
    phase_ = phase::settling;
  }
  return true;
}

void user_actions::done(
  const std::vector<step>& steps,
  const std::string& why,
  std::size_t failed_at,
  bool engine_down) {
  const bool ok = why.empty();
  // A volume that the engine refuses to remove must not keep services down for ever: the purge is given up, all starts again.
  if (!ok && !engine_down && failed_at < steps.size()) {
    const auto& bad = steps[failed_at];
    if (bad.kind == step_kind::remove_volume && purging_.contains(bad.app)) {
      auto left = purging_;
      left.erase(bad.app);
      if (store_.save_purges(left)) {
        purging_ = std::move(left);
      }
    }
  }
  if (queue_.empty() || phase_ != phase::acting) {
    return;
  }
  const auto& a = queue_.front().action;
  const bool mine = failed_at < steps.size() && steps[failed_at].app == a.app_uuid;
  if (!ok && mine) {
    finish(fail(engine_down ? errc::unavailable : errc::io_failed, why));
    return;
  }
  if (!ok) {
    return;
  }
  if (a.kind == kind::start_service || a.kind == kind::stop_service) {
    finish(affected_);
    return;
  }
  if (a.kind == kind::purge) {
    return;
  }
  bool began = false;
  for (const auto& s : steps) {
    if (restart_.contains(s.id)) {
      restart_.erase(s.id);
      began = true;
      if (s.kind == step_kind::remove) {
        replaced_.insert(s.id);
      }
    }
  }
  if (began && restart_.empty()) {
    phase_ = phase::settling;
  }
}

}  // namespace slipway::agent
