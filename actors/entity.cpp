#include "actors/entity.hpp"

#include "domain/rules.hpp"
#include "runtime/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>

namespace slipway::actors {
namespace {

using messages::entity_ref;
using messages::errc;
using messages::outcome;

/// A command in hand or in the queue: who waits for it, and how it is decided.
struct task {
  caf::actor sender;
  std::uint64_t correlation = 0;
  std::function<domain::decision(domain::draft&, const domain::rule_context&)> decide;
  messages::command_id command{};
  std::int64_t by = 0;
};

struct entity_state {
  static inline const char* name = "entity";
  caf::event_based_actor* self = nullptr;
  entity_ref ref;
  std::shared_ptr<const world> w;
  std::deque<task> waiting;
  std::optional<task> appending;
  std::uint64_t append_number = 0;
  int append_ticks = 0;
  int idle_ticks = 0;

  template <class Command>
  void take(std::uint64_t correlation, const Command& cmd);
  void next();
  void start(task t);
  bool answer_repeated(const task& t);
  void finish(std::uint64_t number, outcome o);
  void tick();
  void answer(const task& t, outcome o) {
    if (t.sender) {  // presence comes from nobody who waits
      self->send(t.sender, t.correlation, std::move(o));
    }
  }
  void end_with_unknown_outcome();
};

template <class Command>
messages::command_id command_of(const Command& cmd) {
  if constexpr (requires { cmd.command; }) {
    return cmd.command;
  } else {
    return {};
  }
}

template <class Command>
std::int64_t asker_of(const Command& cmd) {
  if constexpr (requires { cmd.by.actor; }) {
    return cmd.by.actor;
  } else {
    return 0;
  }
}

template <class Command>
void entity_state::take(std::uint64_t correlation, const Command& cmd) {
  idle_ticks = 0;
  task t;
  t.sender = caf::actor_cast<caf::actor>(self->current_sender());
  t.correlation = correlation;
  t.decide = [cmd](domain::draft& d, const domain::rule_context& c) {
    return domain::decide(d, c, cmd);
  };
  t.command = command_of(cmd);
  t.by = asker_of(cmd);
  if (waiting.size() >= commands_waiting_max) {
    answer(t, {{errc::too_many_requests, "too many commands wait for this object"}, {}});
    return;
  }
  waiting.push_back(std::move(t));
  next();
}

void entity_state::next() {
  // No command may be decided on rows that lack the events of the one before it.
  while (!appending && !waiting.empty()) {
    auto t = std::move(waiting.front());
    waiting.pop_front();
    start(std::move(t));
  }
}

bool entity_state::answer_repeated(const task& t) {
  if (t.command == messages::command_id{}) {
    return false;
  }
  // Before it is decided: what the first time changed may forbid it now. The append looks again, for one that is on its way.
  const auto known = w->store.log->answered(t.command);
  if (known && !known->has_value()) {
    return false;
  }
  answer(t, known ? outcome{{errc::none, ""}, **known} : outcome{known.error(), {}});
  return true;
}

void entity_state::start(task t) {
  if (answer_repeated(t)) {
    return;
  }
  const auto view = w->store.rows->view();
  domain::draft d(*w->model, *view, w->now());
  const domain::rule_context context{
    ref,
    [this] { return w->store.log->next_id(messages::partition_of(ref.id)); },
    w->random_hex,
    w->registry_host};
  const auto decided = t.decide(d, context);
  if (!decided) {
    answer(t, {decided.error(), {}});
    return;
  }
  if (d.events().empty()) {
    messages::appended nothing;
    nothing.answer = *decided;
    answer(t, {{errc::none, ""}, nothing});
    return;
  }
  messages::commit c;
  c.entity = ref;
  c.expected_version = messages::any_version;
  c.time = d.now();
  c.actor = t.by;
  c.command = t.command;
  c.answer = *decided;
  c.events = d.events();
  if (const auto version = w->store.log->version(ref)) {
    c.expected_version = *version;
  }
  appending = std::move(t);
  append_ticks = 0;
  self->send(w->journal, ++append_number, std::move(c));
}

void entity_state::finish(std::uint64_t number, outcome o) {
  if (!appending || number != append_number) {
    return;
  }
  const auto done = std::move(*appending);
  appending.reset();
  const bool unknown = o.failure.code == errc::io_failed || o.failure.code == errc::disk_full;
  answer(done, std::move(o));
  if (unknown) {
    end_with_unknown_outcome();
    return;
  }
  next();
}

void entity_state::end_with_unknown_outcome() {
  runtime::log::warn(
    "append without outcome: the entity starts anew from the log",
    {{"kind", std::to_string(static_cast<int>(ref.kind))}, {"id", std::to_string(ref.id)}});
  if (appending) {
    answer(*appending, {{errc::timed_out, "the log did not answer in time: outcome unknown"}, {}});
  }
  for (const auto& t : waiting) {
    answer(t, {{errc::unavailable, "the log does not answer"}, {}});
  }
  waiting.clear();
  self->quit(caf::exit_reason::unhandled_exception);
}

void entity_state::tick() {
  self->delayed_send(self, entity_tick, tick_atom::value);
  if (appending) {
    if (++append_ticks >= append_ticks_max) {
      end_with_unknown_outcome();
    }
    return;
  }
  if (++idle_ticks < idle_ticks_max) {
    return;
  }
  const auto* scheduled = static_cast<caf::scheduled_actor*>(self);
  const bool asleep = w->directory->release(ref, [scheduled] {
    return const_cast<caf::scheduled_actor*>(scheduled)->mailbox().empty();
  });
  if (asleep) {
    self->quit();
  }
}

caf::behavior
entity(caf::stateful_actor<entity_state>* self, entity_ref ref, std::shared_ptr<const world> w) {
  auto& s = self->state;
  s.self = self;
  s.ref = ref;
  s.w = std::move(w);
  self->attach_functor([directory = s.w->directory, ref, id = self->id()](const caf::error&) {
    directory->forget(ref, id);
  });
  self->set_default_handler(caf::drop);
  self->delayed_send(self, entity_tick, tick_atom::value);
  return {
    [self](std::uint64_t c, const messages::create_row& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::change_row& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::remove_row& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::register_device& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::report_state& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::set_presence& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::add_key& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::set_heartbeat& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::use_key& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::accept_invitation& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::start_build& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t c, const messages::advance_build& cmd) { self->state.take(c, cmd); },
    [self](std::uint64_t number, outcome& o) { self->state.finish(number, std::move(o)); },
    [self](tick_atom) { self->state.tick(); },
  };
}

}  // namespace

caf::actor spawn_entity(caf::actor_system& system, entity_ref ref, std::shared_ptr<const world> w) {
  return system.spawn(entity, ref, std::move(w));
}

}  // namespace slipway::actors
