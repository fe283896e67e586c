#include "actors/build_worker.hpp"

#include "actors/build_job.hpp"
#include "actors/service_builder.hpp"
#include "domain/build_output.hpp"
#include "runtime/log.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace slipway::actors {

using messages::message_type;
namespace log = runtime::log;

namespace {

bool is_over(const std::string& status) {
  return status == "success" || status == "failed" || status == "cancelled";
}

}  // namespace

template <class T>
void build_worker_state::tell(const T& x, bool may_drop) {
  auto sealed = messages::seal(x, ++sent_, parts->now_ms());
  flush();
  if (outbox_.empty() && connected_ && options.send(sealed)) {
    return;
  }
  if (may_drop && outbox_bytes_ + sealed.size() > worker_outbox_bytes_max) {
    return;
  }
  outbox_bytes_ += sealed.size();
  outbox_.push_back(std::move(sealed));
}

void build_worker_state::flush() {
  while (connected_ && !outbox_.empty() && options.send(outbox_.front())) {
    outbox_bytes_ -= outbox_.front().size();
    outbox_.pop_front();
  }
}

std::vector<std::int64_t> build_worker_state::build_ids() const {
  std::vector<std::int64_t> out;
  for (const auto& [serial, b] : live_) {
    if (!b.silent && !b.told) {
      out.push_back(b.task->order.build);
    }
  }
  return out;
}

build_worker_state::~build_worker_state() {
  for (const auto& [serial, b] : live_) {
    caf::anon_send_exit(b.job, caf::exit_reason::user_shutdown);
    for (const auto& s : b.services) {
      if (s.actor) {
        caf::anon_send_exit(s.actor, caf::exit_reason::user_shutdown);
      }
    }
  }
}

// The connection.

void build_worker_state::up() {
  connected_ = true;
  down_since_ = 0;
  messages::worker_joined joined{
    options.name,
    options.architectures,
    options.slots,
    options.engine,
    build_ids()};
  // Last words may have been lost with the connection; the core knows those it heard.
  for (const auto& w : last_words_) {
    joined.builds.push_back(w.ended.build);
  }
  auto waiting = std::exchange(outbox_, {});
  outbox_bytes_ = 0;
  tell(joined);
  for (auto& m : waiting) {
    outbox_bytes_ += m.size();
    outbox_.push_back(std::move(m));
  }
  for (const auto& w : last_words_) {
    tell(w.ended);
  }
  for (auto& [serial, b] : live_) {
    self->send(b.job, up_atom::value);
    for (auto& s : b.services) {
      if (s.wants_token) {
        const auto index = static_cast<std::size_t>(&s - b.services.data());
        tell(
          messages::get_push_token{b.task->order.build, b.task->order.plan.services[index].name});
      }
    }
  }
  beat_at_ = parts->steady_ms();
}

void build_worker_state::down() {
  connected_ = false;
  down_since_ = parts->steady_ms();
}

void build_worker_state::word(const messages::envelope& e) {
  const auto handle = [&](auto what, auto then) {
    using message = decltype(what);
    if (auto m = messages::open<message>(e)) {
      then(std::move(*m));
    } else {
      log::warn("a word of the core does not decode", {{"error", m.error().detail}});
    }
  };
  switch (e.type) {
    case message_type::run_build:
      handle(messages::run_build{}, [this](auto m) { take(m); });
      break;
    case message_type::cancel_build:
      handle(messages::cancel_build{}, [this](auto m) { cancel(m); });
      break;
    case message_type::source_part:
      handle(messages::source_part{}, [this](auto m) { part(std::move(m)); });
      break;
    case message_type::push_token:
      handle(messages::push_token{}, [this](auto m) { token(m); });
      break;
    default:
      log::warn(
        "the core sent something unknown",
        {{"type", std::to_string(static_cast<int>(e.type))}});
  }
}

void build_worker_state::tick() {
  self->delayed_send(self, worker_tick, tick_atom::value);
  const auto now = parts->steady_ms();
  if (connected_ && now - beat_at_ >= messages::worker_beat_ms) {
    beat_at_ = now;
    tell(messages::worker_beat{build_ids()});
  }
  flush();
  const bool lost = !connected_ && down_since_ > 0 && now - down_since_ > messages::worker_lease_ms;
  for (auto& [serial, b] : live_) {
    if (lost) {
      give_up(b);
    } else if (b.deadline > 0 && now >= b.deadline) {
      end_build(
        b,
        "the build took longer than " + std::to_string(b.task->order.limits.seconds_max)
          + " seconds",
        false,
        false);
    }
    if (b.ending && !b.closing) {
      stop_all(b);
    }
  }
  if (lost) {
    outbox_.clear();
    outbox_bytes_ = 0;
  }
  std::erase_if(last_words_, [&](const last_word& w) {
    return now - w.at > messages::worker_lease_ms;
  });
}

// Builds.

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
  b.deadline =
    order.limits.seconds_max > 0 ? parts->steady_ms() + order.limits.seconds_max * 1000 : 0;
  b.outcome.build = order.build;
  b.outcome.attempt = order.attempt;
  const build_worker_actor me = self;
  b.job = options.spawn_job(me, task, b.stop);
  self->monitor(b.job);
  names_[caf::actor_cast<caf::actor_addr>(b.job)] = {task->serial, ""};
  log::info(
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
  if (const auto* b = find(w.serial); b != nullptr && !b->silent && connected_) {
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
      b->services[i].wants_token = true;
    }
  }
  if (connected_) {
    tell(messages::get_push_token{b->task->order.build, w.service});
  }
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
  schedule();
  close_when_idle(*b);
}

/// Whether a build of the fleet may be removing layers that the next would take for its cache.
bool build_worker_state::clears_up(std::int64_t fleet) const {
  return std::any_of(live_.begin(), live_.end(), [&](const auto& entry) {
    return entry.second.closing && entry.second.task->order.fleet == fleet;
  });
}

/// Slots are given in the order in which builds came.
void build_worker_state::schedule() {
  for (auto& [serial, b] : live_) {
    if (!b.ready || b.ending || clears_up(b.task->order.fleet)) {
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
  if (!b->silent) {
    tell(messages::service_changed{b->task->order.build, b->task->order.attempt, m.progress});
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

// Ends.

/// The first reason counts.
void build_worker_state::end_build(
  live_build& b,
  std::string error,
  bool cancelled,
  bool may_retry) {
  if (b.ending) {
    return;
  }
  b.ending = true;
  b.outcome.error = std::move(error);
  b.outcome.cancelled = cancelled;
  b.outcome.may_retry = may_retry;
  skip_waiting(b);
  stop_all(b);
  close_when_idle(b);
}

void build_worker_state::give_up(live_build& b) {
  b.silent = true;
  end_build(b, "the core has it no more", true, false);
}

void build_worker_state::skip_waiting(live_build& b) {
  for (std::size_t i = 0; i < b.services.size(); ++i) {
    if (b.services[i].at != live_service::phase::waiting) {
      continue;
    }
    b.services[i].at = live_service::phase::over;
    messages::service_progress p;
    p.name = b.task->order.plan.services[i].name;
    p.status = "cancelled";
    p.ended = parts->now_ms();
    if (!b.silent) {
      tell(messages::service_changed{b.task->order.build, b.task->order.attempt, p});
    }
  }
}

void build_worker_state::stop_all(live_build& b) {
  b.stop->stop();
  for (auto& s : b.services) {
    if (s.at == live_service::phase::running) {
      s.stop->stop();
      self->send(s.actor, halt_atom::value);
    }
  }
}

void build_worker_state::close_when_idle(live_build& b) {
  const auto over = [](const live_service& s) { return s.at == live_service::phase::over; };
  if (b.closing || !std::all_of(b.services.begin(), b.services.end(), over)) {
    return;
  }
  b.ending = true;
  b.closing = true;
  if (b.outcome.error.empty()) {
    tell_outcome(b);  // the images are in the registry: nobody waits for what is left to clear up
  }
  const auto fleet = b.task->order.fleet;
  const auto same = std::count_if(live_.begin(), live_.end(), [&](const auto& entry) {
    return entry.second.task->order.fleet == fleet;
  });
  if (b.jobless) {
    self->send(self, job_closed{b.task->serial});
  } else {
    self->send(b.job, close_atom::value, same == 1);
  }
}

/// Once.
void build_worker_state::tell_outcome(live_build& b) {
  if (b.silent || std::exchange(b.told, true)) {
    return;
  }
  log::info(
    "build ended",
    {{"build", std::to_string(b.outcome.build)},
     {"attempt", std::to_string(b.outcome.attempt)},
     {"outcome", b.outcome.error.empty() ? "success" : b.outcome.error}});
  tell(b.outcome);
  last_words_.push_back({b.outcome, parts->steady_ms()});
}

void build_worker_state::closed(std::uint64_t serial) {
  const auto it = live_.find(serial);
  if (it == live_.end()) {
    return;
  }
  tell_outcome(it->second);
  live_.erase(it);
  schedule();
  finish_halt();
}

/// An actor that ended by a fault: its exception was ours.
void build_worker_state::died(const caf::down_msg& m) {
  const auto who = names_.find(m.source);
  if (who == names_.end()) {
    return;
  }
  const auto [serial, service] = who->second;
  names_.erase(who);
  auto* b = find(serial);
  if (!m.reason || b == nullptr) {
    return;
  }
  log::error("a builder's actor failed", {{"build", std::to_string(b->task->order.build)}});
  if (service.empty()) {
    b->jobless = true;
    end_build(*b, "the worker failed", false, true);
    if (b->closing) {
      self->send(self, job_closed{serial});
    }
    return;
  }
  messages::service_progress p;
  p.name = service;
  p.status = "failed";
  p.error = "the worker failed";
  p.ended = parts->now_ms();
  moved({serial, p, true});
}

caf::result<bool> build_worker_state::halt() {
  halting_ = true;
  for (auto& [serial, b] : live_) {
    end_build(b, "the worker stops", false, true);
  }
  auto reply = self->make_response_promise<bool>();
  halted_.push_back(reply);
  finish_halt();
  return reply;
}

void build_worker_state::finish_halt() {
  if (!live_.empty()) {
    return;
  }
  for (auto& reply : std::exchange(halted_, {})) {
    reply.deliver(true);
  }
}

void use_detached_builders(
  caf::actor_system& system,
  std::shared_ptr<const builder_parts> parts,
  worker_options& options) {
  options.spawn_job = [&system, parts](const auto& worker, auto task, auto stop) {
    return system.spawn<caf::detached>(build_job, worker, parts, std::move(task), std::move(stop));
  };
  options.spawn_service = [&system,
                           parts](const auto& worker, auto task, std::size_t index, auto stop) {
    return system.spawn<caf::detached>(
      service_builder,
      worker,
      parts,
      std::move(task),
      index,
      std::move(stop));
  };
}

build_worker_actor::behavior_type build_worker(
  build_worker_actor::stateful_pointer<build_worker_state> self,
  std::shared_ptr<const builder_parts> parts,
  worker_options options) {
  auto& s = self->state;
  s.self = self;
  s.parts = std::move(parts);
  s.options = std::move(options);
  self->set_down_handler([self](const caf::down_msg& m) { self->state.died(m); });
  self->delayed_send(self, worker_tick, tick_atom::value);
  return {
    [self](up_atom) { self->state.up(); },
    [self](down_atom) { self->state.down(); },
    [self](const core_word& w) { self->state.word(w.word); },
    [self](tick_atom) { self->state.tick(); },
    [self](halt_atom) { return self->state.halt(); },
    [self](const job_ready& r) { self->state.ready(r); },
    [self](const job_closed& c) { self->state.closed(c.serial); },
    [self](const source_wanted& w) { self->state.want(w); },
    [self](const token_wanted& w) { self->state.want(w); },
    [self](const service_said& m) { self->state.said(m); },
    [self](const service_moved& m) { self->state.moved(m); },
  };
}

}  // namespace slipway::actors
