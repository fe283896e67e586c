#include "actors/journal.hpp"

#include "runtime/failpoint.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <vector>

namespace slipway::actors {
namespace {

using messages::commit;
using messages::errc;
using messages::log_record;
using messages::outcome;

struct waiting {
  caf::actor sender;
  std::uint64_t correlation = 0;
};

struct journal_state {
  static inline const char* name = "journal";
  journal_actor::pointer self = nullptr;
  std::shared_ptr<storage::event_log> log;
  committed_hook hook;
  std::vector<waiting> senders;
  std::vector<commit> commits;
  std::vector<caf::actor> subscribers;
  bool flush_is_coming = false;

  void append(std::uint64_t correlation, commit& c);
  void flush();
  void subscribe(const caf::actor& subscriber);
  void answer(const waiting& w, outcome o) {
    caf::anon_send(w.sender, w.correlation, std::move(o));
  }
  void request_flush();
};

void journal_state::request_flush() {
  if (!flush_is_coming) {
    flush_is_coming = true;
    // The mailbox is in order: what is queued now is gathered before the flush comes up.
    self->send(self, flush_atom::value);
  }
}

void journal_state::append(std::uint64_t correlation, commit& c) {
  waiting w{caf::actor_cast<caf::actor>(self->current_sender()), correlation};
  if (commits.size() >= appends_waiting_max) {
    answer(w, {{errc::too_many_requests, "the log is busy"}, {}});
    return;
  }
  senders.push_back(std::move(w));
  commits.push_back(std::move(c));
  request_flush();
}

void journal_state::flush() {
  flush_is_coming = false;
  const auto n = std::min(commits.size(), appends_per_flush_max);
  const auto batch = std::span(commits).first(n);
  SLIPWAY_FAILPOINT("journal.flush.begin");
  auto outcomes = log->append(batch);
  SLIPWAY_FAILPOINT("journal.flush.durable");
  auto records = std::make_shared<std::vector<log_record>>();
  for (std::size_t i = 0; i < n; ++i) {
    if (outcomes[i] && !outcomes[i]->repeated) {
      records->push_back({outcomes[i]->position, outcomes[i]->version, std::move(batch[i])});
    }
  }
  if (hook) {
    hook(*records);
  }
  for (std::size_t i = 0; i < n; ++i) {
    answer(
      senders[i],
      outcomes[i] ? outcome{{errc::none, ""}, *outcomes[i]}
                  : outcome{std::move(outcomes[i].error()), {}});
  }
  if (!records->empty()) {
    const record_batch shared = std::move(records);
    for (const auto& s : subscribers) {
      caf::anon_send(s, shared);
    }
  }
  senders.erase(senders.begin(), senders.begin() + static_cast<std::ptrdiff_t>(n));
  commits.erase(commits.begin(), commits.begin() + static_cast<std::ptrdiff_t>(n));
  if (!commits.empty()) {
    request_flush();
  }
}

void journal_state::subscribe(const caf::actor& subscriber) {
  subscribers.push_back(subscriber);
}

journal_actor::behavior_type journal(
  journal_actor::stateful_pointer<journal_state> self,
  std::shared_ptr<storage::event_log> log,
  committed_hook hook) {
  self->state.self = self;
  self->state.log = std::move(log);
  self->state.hook = std::move(hook);
  return {
    [self](std::uint64_t correlation, commit& c) { self->state.append(correlation, c); },
    [self](flush_atom) { self->state.flush(); },
    [self](tail_atom, const caf::actor& subscriber) { self->state.subscribe(subscriber); },
  };
}

}  // namespace

journal_actor spawn_journal(
  caf::actor_system& system,
  std::shared_ptr<storage::event_log> log,
  committed_hook hook) {
  return system.spawn<caf::detached>(journal, std::move(log), std::move(hook));
}

}  // namespace slipway::actors
