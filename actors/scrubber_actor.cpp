#include "actors/scrubber_actor.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

#include <caf/actor_system.hpp>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace slipway::actors {
namespace {

namespace log = runtime::log;
using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

// Notes in the repository store.
constexpr const char* place_note = "scrub";
constexpr const char* began_note = "scrub began";
constexpr std::uint64_t remember_every = 64;  ///< blobs
constexpr auto pause_min = milliseconds{1};
constexpr auto look_again = std::chrono::minutes{10};

/// The disk serves this thread when nobody else wants it.
void be_idle() {
  constexpr int who_process = 1;
  constexpr int idle_class = 3;
  constexpr int class_shift = 13;
  // Not every scheduler knows priorities; the rate bounds it anyway.
  (void)::syscall(SYS_ioprio_set, who_process, 0, idle_class << class_shift);
}

std::int64_t number(const std::string& text) {
  std::int64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

}  // namespace

bool scrubber_actor_state::run() {
  if (asked) {
    return false;
  }
  asked = std::make_unique<storage::scrubber>(parts->blobs, parts->links, "");
  if (!stepping) {
    stepping = true;
    self->send(self, step_atom::value);
  }
  return true;
}

void scrubber_actor_state::tell(const storage::scrubber::progress& p) const {
  static const auto bytes =
    runtime::metrics::make_counter("slipway_registry_scrubbed_bytes_total", "Bytes of blobs read");
  static const auto rotten = runtime::metrics::make_counter(
    "slipway_registry_rotten_blobs_total",
    "Blobs whose bytes were wrong");
  bytes.add(static_cast<double>(p.bytes));
  if (!p.rotten.empty()) {
    rotten.add();
    log::error("registry: a rotten blob was set aside", {{"blob", p.rotten}});
  }
}

void scrubber_actor_state::remember() const {
  // A lost note only makes the scrubber read something twice.
  (void)parts->repositories.set_note(place_note, steady->report().at);
}

void scrubber_actor_state::step() {
  stepping = false;
  auto& one = asked ? asked : steady;
  if (!one) {
    return;
  }
  const auto began = clock::now();
  const auto done = one->step(parts->now_ms());
  tell(done);
  const auto worked = std::chrono::duration_cast<milliseconds>(clock::now() - began);
  auto pause = std::max(pause_min, worked);
  if (!asked) {
    const auto due =
      milliseconds(static_cast<std::int64_t>(done.bytes) * 1000 / options.scrub_bytes_per_second);
    pause = std::max(pause_min, due - worked);
    if (!done.more || one->report().blobs % remember_every == 0) {
      remember();
    }
  }
  if (!done.more) {
    const auto report = one->report();
    log::info(
      "registry: all blobs were read",
      {{"blobs", std::to_string(report.blobs)}, {"rotten", std::to_string(report.rotten_count)}});
    if (asked) {
      last = report;
    }
    one.reset();
  }
  if (asked || steady) {
    stepping = true;
    self->delayed_send(self, pause, step_atom::value);
  }
}

void scrubber_actor_state::due() {
  self->delayed_send(self, look_again, due_atom::value);
  if (steady) {
    return;
  }
  const auto now = parts->now_ms();
  const auto began = number(parts->repositories.note(began_note).value_or(""));
  const auto place = parts->repositories.note(place_note).value_or("");
  // A place is where an earlier process was in the middle of a round.
  if (place.empty() && now - began < options.scrub_every_ms) {
    return;
  }
  if (place.empty()) {
    (void)parts->repositories.set_note(began_note, std::to_string(now));
  }
  steady = std::make_unique<storage::scrubber>(parts->blobs, parts->links, place);
  if (!stepping) {
    stepping = true;
    self->send(self, step_atom::value);
  }
}

static scrubber_actor::behavior_type scrubber(
  scrubber_actor::stateful_pointer<scrubber_actor_state> self,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o) {
  auto& s = self->state;
  s.self = self;
  s.parts = std::move(parts);
  s.options = o;
  be_idle();
  if (o.scrub_bytes_per_second > 0) {
    self->delayed_send(self, look_again, due_atom::value);
  }
  return {
    [self](run_atom) { return self->state.run(); },
    [self](report_atom) {
      const auto& state = self->state;
      return state.asked ? state.asked->report() : state.last;
    },
    [self](step_atom) { self->state.step(); },
    [self](due_atom) { self->state.due(); },
  };
}

scrubber_actor spawn_scrubber(
  caf::actor_system& system,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o) {
  return system.spawn<caf::detached>(scrubber, std::move(parts), o);
}

}  // namespace slipway::actors
