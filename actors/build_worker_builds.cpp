// Builds under way: what the core orders, what their actors say, who gets a slot.
#include "actors/build_worker.hpp"
#include "domain/build_output.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <utility>

namespace slipway::actors {

namespace {

bool is_over(const std::string& status) {
  return status == "success" || status == "failed" || status == "cancelled";
}

}  // namespace

build_worker_state::live_build* build_worker_state::find(std::uint64_t serial) {
  const auto it = live_.find(serial);
  return it == live_.end() ? nullptr : &it->second;
}

/// The last one the core asked for.
build_worker_state::live_build* build_worker_state::find_build(std::int64_t build) {
  const auto it = std::find_if(live_.rbegin(), live_.rend(), [&](const auto& entry) {
    return entry.second.task->order.build == build && !entry.second.silent;
  });
  return it == live_.rend() ? nullptr : &it->second;
}

std::shared_ptr<stop_switch> build_worker_state::new_switch() const {
  auto s = std::make_shared<stop_switch>();
  s->engine = parts->connect();
  return s;
}

void build_worker_state::take(const messages::run_build& order) {
  if (auto* same = find_build(order.build)) {
    if (same->task->order.attempt == order.attempt) {
      return;
    }
    give_up(*same);
  }
  if (halting_ || live_.size() >= worker_builds_max) {
    const auto* why = halting_ ? "the worker stops" : "the worker has too many builds";
    tell(messages::build_ended{order.build, order.attempt, why, false, true});
    return;
  }
  std::erase_if(last_words_, [&](const last_word& w) { return w.ended.build == order.build; });
  auto task = std::make_shared<build_task>();
  task->serial = ++serials_;
  task->order = order;
  task->source_file = parts->work_dir + "/source-" + std::to_string(task->serial);
  if (parts->networks) {
    task->network = parts->networks->reserve();
  }
  live_build b;
  b.task = task;
  b.stop = new_switch();
  b.services.resize(order.plan.services.size());
  b.deadline = deadline_of(order);
  b.outcome.build = order.build;
  b.outcome.attempt = order.attempt;
  const build_worker_actor me = self;
  b.job = options.spawn_job(me, task, b.stop);
  self->monitor(b.job);
  names_[caf::actor_cast<caf::actor_addr>(b.job)] = {task->serial, ""};
  runtime::log::info(
    "build begins",
    {{"build", std::to_string(order.build)},
     {"attempt", std::to_string(order.attempt)},
     {"services", std::to_string(b.services.size())}});
  live_.emplace(task->serial, std::move(b));
}

void build_worker_state::cancel(const messages::cancel_build& c) {
  if (auto* b = find_build(c.build)) {
    end_build(*b, "cancelled", true, false);
  }
}

void build_worker_state::part(messages::source_part p) {
  if (auto* b = find_build(p.build)) {
    self->send(b->job, part_arrived{std::move(p)});
  }
}

void build_worker_state::token(const messages::push_token& t) {
  auto* b = find_build(t.build);
  if (b == nullptr) {
    return;
  }
  const auto& services = b->task->order.plan.services;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (services[i].name == t.service && b->services[i].wants_token) {
      b->services[i].wants_token = false;
      self->send(b->services[i].actor, token_arrived{t.token});
    }
  }
}

void build_worker_state::want(const source_wanted& w) {
  // What is asked for without a connection is asked for again with the next.
  if (const auto* b = find(w.serial); b != nullptr && !b->silent && outbox.connected()) {
    tell(messages::get_source{b->task->order.build, w.offset});
  }
}

void build_worker_state::want(const token_wanted& w) {
  auto* b = find(w.serial);
  if (b == nullptr || b->silent) {
    return;
  }
  const auto& services = b->task->order.plan.services;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (services[i].name == w.service) {
      ask_token(*b, i);
    }
  }
}

void build_worker_state::ask_token(live_build& b, std::size_t service) {
  b.services[service].wants_token = true;
  b.services[service].token_wanted_at = parts->steady_ms();
  if (outbox.connected()) {
    const auto& order = b.task->order;
    tell(messages::get_push_token{order.build, order.plan.services[service].name});
  }
}

/// In steady ms, 0 = none: from now on.
std::int64_t build_worker_state::deadline_of(const messages::run_build& order) const {
  const auto most = order.limits.seconds_max;
  return most > 0 ? parts->steady_ms() + most * 1000 : 0;
}

void build_worker_state::ready(const job_ready& r) {
  auto* b = find(r.serial);
  if (b == nullptr || b->ending) {
    return;
  }
  if (!r.error.empty()) {
    end_build(*b, r.error, false, r.may_retry);
    return;
  }
  b->ready = true;
  b->deadline = 0;  // until it has a slot
  schedule();
  close_when_idle(*b);
}

/// For one of the fleet that may be removing layers which this one would take for its cache, and for an earlier attempt of itself,
/// which removes the same names.
bool build_worker_state::must_wait(const live_build& b) const {
  const auto& order = b.task->order;
  return std::any_of(live_.begin(), live_.end(), [&](const auto& entry) {
    const auto& other = entry.second;
    return (other.closing && other.task->order.fleet == order.fleet)
           || (other.ending && other.task->order.build == order.build);
  });
}

/// Slots are given in the order in which builds came.
void build_worker_state::schedule() {
  for (auto& [serial, b] : live_) {
    if (!b.ready || b.ending || must_wait(b)) {
      continue;
    }
    for (std::size_t i = 0; i < b.services.size() && running_ < options.slots; ++i) {
      if (b.services[i].at == live_service::phase::waiting) {
        start(b, i);
      }
    }
  }
}

void build_worker_state::start(live_build& b, std::size_t index) {
  auto& s = b.services[index];
  if (b.deadline == 0) {
    b.deadline = deadline_of(b.task->order);
  }
  s.at = live_service::phase::running;
  s.stop = new_switch();
  ++running_;
  const build_worker_actor me = self;
  s.actor = options.spawn_service(me, b.task, index, s.stop);
  self->monitor(s.actor);
  names_[caf::actor_cast<caf::actor_addr>(s.actor)] = {
    b.task->serial,
    b.task->order.plan.services[index].name};
}

void build_worker_state::said(const service_said& s) {
  auto* b = find(s.serial);
  if (b == nullptr || b->ending) {
    return;
  }
  messages::build_output out{b->task->order.build, b->task->order.attempt, s.lines};
  for (auto& line : out.lines) {
    b->output_bytes += static_cast<std::int64_t>(line.text.size()) + 1;
    // Only what stands last can be rewritten, and others print too.
    line.replace = line.replace && b->last_line_of == s.service;
    b->last_line_of = s.service;
  }
  const auto most = b->task->order.limits.output_bytes_max;
  if (most > 0 && b->output_bytes > most) {
    end_build(*b, "the build printed more than " + domain::whole_size(most), false, false);
    return;
  }
  tell(out, true);
}

void build_worker_state::moved(const service_moved& m) {
  auto* b = find(m.serial);
  if (b == nullptr) {
    return;
  }
  const auto& services = b->task->order.plan.services;
  const auto s = std::find_if(services.begin(), services.end(), [&](const auto& p) {
    return p.name == m.progress.name;
  });
  if (s == services.end()) {
    return;
  }
  const messages::service_changed word{b->task->order.build, b->task->order.attempt, m.progress};
  if (!b->silent) {
    tell(word);
  }
  if (m.progress.status == "success") {
    b->built.push_back(word);
  }
  if (is_over(m.progress.status)) {
    if (m.progress.status == "failed") {
      end_build(*b, m.progress.name + ": " + m.progress.error, false, m.may_retry);
    }
    service_over(*b, static_cast<std::size_t>(s - services.begin()));
  }
}

void build_worker_state::service_over(live_build& b, std::size_t index) {
  auto& s = b.services[index];
  if (s.at != live_service::phase::running) {
    return;
  }
  s.at = live_service::phase::over;
  s.actor = nullptr;
  s.wants_token = false;
  --running_;
  schedule();
  close_when_idle(b);
}

}  // namespace slipway::actors
