#include "actors/log_writer.hpp"

#include "runtime/log.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <vector>

namespace slipway::actors {
namespace {

struct log_writer_state {
  static inline const char* name = "log_writer";
  log_writer_actor::pointer self = nullptr;
  log_writer_links links;
  std::vector<log_append_ptr> waiting;
  bool flush_is_coming = false;
  bool durable_wanted = false;  ///< by one that waits
  bool dirty = false;           ///< something was written that is not durable yet
  std::int64_t synced_ms = 0;
  std::int64_t sweep_due_ms = 0;

  void take(const log_append_ptr& a);
  void flush();
  void tick();
  void request_flush();
  void write(std::vector<log_append_ptr> batch);
};

void log_writer_state::take(const log_append_ptr& a) {
  durable_wanted = durable_wanted || a->durable;
  waiting.push_back(a);
  request_flush();
}

void log_writer_state::request_flush() {
  if (flush_is_coming) {
    return;
  }
  flush_is_coming = true;
  const auto due = synced_ms + log_sync_gap_ms - links.steady_ms();
  if (durable_wanted && due > 0) {
    self->delayed_send(self, std::chrono::milliseconds(due), flush_atom::value);
  } else {
    self->send(self, flush_atom::value);
  }
}

void log_writer_state::flush() {
  flush_is_coming = false;
  const auto n = std::min(waiting.size(), log_appends_per_flush_max);
  const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(n);
  std::vector<log_append_ptr> batch(waiting.begin(), end);
  waiting.erase(waiting.begin(), end);
  const auto wants = [](const auto& a) { return a->durable; };
  durable_wanted = std::any_of(waiting.begin(), waiting.end(), wants);
  write(std::move(batch));
  if (!waiting.empty()) {
    request_flush();
  }
}

void log_writer_state::write(std::vector<log_append_ptr> batch) {
  std::vector<storage::log_batch> lines;
  bool durable = false;
  for (const auto& a : batch) {
    lines.push_back(std::move(a->batch));
    durable = durable || a->durable;
  }
  const auto written = links.store->append(lines, durable);
  if (durable) {
    synced_ms = links.steady_ms();
  }
  dirty = written ? !durable : dirty;
  if (written) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!lines[i].lines.empty()) {
        links.written(lines[i].device, (*written)[i]);
      }
    }
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i]->done(
      written ? messages::result<storage::log_extent>((*written)[i])
              : tl::unexpected(written.error()));
  }
}

void log_writer_state::tick() {
  self->delayed_send(self, std::chrono::milliseconds(log_tick_ms), tick_atom::value);
  if (dirty) {
    if (const auto done = links.store->sync(); !done) {
      runtime::log::warn("device logs not synced", {{"why", done.error().detail}});
    } else {
      dirty = false;
    }
  }
  const auto now = links.steady_ms();
  if (now < sweep_due_ms) {
    return;
  }
  const auto more = links.store->sweep(links.now_ms(), links.exists);
  if (!more) {
    runtime::log::warn("device logs not swept", {{"why", more.error().detail}});
  }
  if (!more || !*more) {
    sweep_due_ms = now + log_sweep_pause_ms;
  }
}

log_writer_actor::behavior_type log_writer(
  log_writer_actor::stateful_pointer<log_writer_state> self,
  log_writer_links links) {
  self->state.self = self;
  self->state.links = std::move(links);
  self->send(self, tick_atom::value);
  return {
    [self](const log_append_ptr& a) { self->state.take(a); },
    [self](flush_atom) { self->state.flush(); },
    [self](tick_atom) { self->state.tick(); },
  };
}

}  // namespace

log_writer_actor spawn_log_writer(caf::actor_system& system, log_writer_links links) {
  return system.spawn<caf::detached>(log_writer, std::move(links));
}

}  // namespace slipway::actors
