// How builds end: by success, by a fault, by an order, with the worker; and what the core hears of it.
#include "actors/build_worker.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <utility>

namespace slipway::actors {

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
  runtime::log::info(
    "build ended",
    {{"build", std::to_string(b.outcome.build)},
     {"attempt", std::to_string(b.outcome.attempt)},
     {"outcome", b.outcome.error.empty() ? "success" : b.outcome.error}});
  tell(b.outcome);
  last_words_.push_back({std::move(b.built), b.outcome, parts->steady_ms()});
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
  runtime::log::error(
    "a builder's actor failed",
    {{"build", std::to_string(b->task->order.build)}});
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
  if (outbox.connected()) {
    tell(joined());  // before what it gives back, or it would be given that again
  }
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

}  // namespace slipway::actors
