#include "actors/collector_actor.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <caf/actor_system.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace slipway::actors {
namespace {

namespace log = runtime::log;
using clock = std::chrono::steady_clock;

/// Of a run that nobody waits for: a fifth of one core at most.
constexpr int pause_by_itself = 4;
constexpr auto pause_min = std::chrono::milliseconds{1};
/// The first run is not part of the start's rush.
constexpr auto first_due = std::chrono::minutes{5};

void measure(const storage::collection_report& r) {
  const auto gone = [](const char* kind) {
    return runtime::metrics::make_counter(
      "slipway_registry_collected_total",
      "What the registry's garbage collection removed",
      {{"kind", kind}});
  };
  static const auto manifests = gone("manifest");
  static const auto links = gone("link");
  static const auto blobs = gone("blob");
  static const auto bytes = runtime::metrics::make_counter(
    "slipway_registry_collected_bytes_total",
    "Bytes of those blobs");
  manifests.add(static_cast<double>(r.manifests));
  links.add(static_cast<double>(r.links));
  blobs.add(static_cast<double>(r.blobs));
  bytes.add(static_cast<double>(r.bytes));
}

}  // namespace

bool collector_actor_state::run(bool dry_run, int pause) {
  if (running) {
    return false;
  }
  auto o = options.collection;
  o.dry_run = dry_run;
  pause_per_work = pause;
  running = std::make_unique<storage::collector>(
    parts->blobs,
    parts->repositories,
    parts->links,
    parts->users(),
    o);
  self->send(self, step_atom::value);
  return true;
}

void collector_actor_state::step() {
  if (!running) {
    return;
  }
  const auto began = clock::now();
  if (running->step(parts->now_ms())) {
    const auto worked = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
    self->delayed_send(self, std::max(pause_min, worked * pause_per_work), step_atom::value);
    return;
  }
  last = running->report();
  running.reset();
  if (last.dry_run) {
    return;
  }
  measure(last);
  if (!last.failed.empty()) {
    log::warn("registry: the garbage collection ended early", {{"why", last.failed}});
  } else if (last.manifests + last.links + last.blobs > 0) {
    log::info(
      "registry: garbage collected",
      {{"manifests", std::to_string(last.manifests)},
       {"links", std::to_string(last.links)},
       {"blobs", std::to_string(last.blobs)},
       {"bytes", std::to_string(last.bytes)}});
  }
}

void collector_actor_state::due() {
  // One that the operator asked for is as good.
  run(false, pause_by_itself);
  self->delayed_send(self, std::chrono::milliseconds(options.collect_every_ms), due_atom::value);
}

static collector_actor::behavior_type collector(
  collector_actor::stateful_pointer<collector_actor_state> self,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o) {
  auto& s = self->state;
  s.self = self;
  s.parts = std::move(parts);
  s.options = o;
  if (o.collect_every_ms > 0) {
    const auto every = std::chrono::milliseconds(o.collect_every_ms);
    self->delayed_send(
      self,
      std::min<std::chrono::milliseconds>(first_due, every),
      due_atom::value);
  }
  return {
    [self](run_atom, bool dry_run) { return self->state.run(dry_run, 1); },
    [self](report_atom) {
      const auto& state = self->state;
      return state.running ? state.running->report() : state.last;
    },
    [self](step_atom) { self->state.step(); },
    [self](due_atom) { self->state.due(); },
  };
}

collector_actor spawn_collector(
  caf::actor_system& system,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o) {
  return system.spawn<caf::detached>(collector, std::move(parts), o);
}

}  // namespace slipway::actors
