// The connection to the core, and the actor itself.
#include "actors/build_worker.hpp"

#include "actors/build_job.hpp"
#include "actors/service_builder.hpp"
#include "runtime/log.hpp"

#include <caf/send.hpp>

#include <utility>

namespace slipway::actors {

using messages::message_type;
namespace log = runtime::log;

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

/// One that stops builds for nobody: the core gives it nothing more.
messages::worker_joined build_worker_state::joined() const {
  messages::worker_joined j;
  j.name = options.name;
  j.slots = options.slots;
  j.engine = options.engine;
  j.builds = build_ids();
  if (!halting_) {
    j.architectures = options.architectures;
  }
  // Last words may have been lost with the connection; the core knows those it heard.
  for (const auto& w : last_words_) {
    j.builds.push_back(w.ended.build);
  }
  return j;
}

void build_worker_state::up() {
  down_since_ = 0;
  outbox.up(messages::seal(joined(), ++sent_, parts->now_ms()));
  for (const auto& w : last_words_) {
    for (const auto& service : w.built) {
      tell(service);
    }
    tell(w.ended);
  }
  for (auto& [serial, b] : live_) {
    self->send(b.job, up_atom::value);
    if (b.silent || b.told) {
      continue;
    }
    for (const auto& service : b.built) {
      tell(service);
    }
    for (std::size_t i = 0; i < b.services.size(); ++i) {
      if (b.services[i].wants_token) {
        ask_token(b, i);
      }
    }
  }
  beat_at_ = parts->steady_ms();
}

void build_worker_state::down() {
  outbox.down();
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
  if (outbox.connected() && now - beat_at_ >= messages::worker_beat_ms) {
    beat_at_ = now;
    tell(messages::worker_beat{build_ids()});
  }
  outbox.flush();
  const bool lost =
    !outbox.connected() && down_since_ > 0 && now - down_since_ > messages::worker_lease_ms;
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
    for (std::size_t i = 0; i < b.services.size(); ++i) {
      const auto& s = b.services[i];
      if (outbox.connected() && s.wants_token && now - s.token_wanted_at >= ask_again_ms) {
        ask_token(b, i);
      }
    }
  }
  if (lost) {
    outbox.clear();
  }
  std::erase_if(last_words_, [&](const last_word& w) {
    return now - w.at > messages::worker_lease_ms;
  });
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
  s.outbox = worker_outbox(s.options.send);
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
