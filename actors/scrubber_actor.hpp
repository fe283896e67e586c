#pragma once

#include "actors/blob_keepers.hpp"
#include "actors/collector_actor.hpp"

#include <chrono>
#include <memory>

namespace slipway::actors {

/// Reads all blobs at a bounded rate and sets rotten ones aside (ADR 78).
using scrubber_actor = caf::typed_actor<
  // Begins a round at once. Answers false when one that was asked for is under way.
  caf::replies_to<run_atom>::with<bool>,
  // Of the round that was asked for last.
  caf::replies_to<report_atom>::with<storage::scrub_report>,
  // From itself.
  caf::reacts_to<step_atom>,
  caf::reacts_to<due_atom>>;

struct scrubber_actor_state {
  static inline const char* name = "scrubber";

  bool run();
  void step();
  void due();
  /// What one step found goes to the log and the metrics.
  void tell(const storage::scrubber::progress& p) const;
  void remember() const;

  scrubber_actor::stateful_pointer<scrubber_actor_state> self = nullptr;
  std::shared_ptr<const keeper_parts> parts;
  keeper_options options;
  std::unique_ptr<storage::scrubber> asked;   ///< the operator's round
  std::unique_ptr<storage::scrubber> steady;  ///< the one that goes on by itself
  storage::scrub_report last;
  bool stepping = false;  ///< a step is on its way
};

/// Detached, and with idle disk priority: its steps read the disk.
[[nodiscard]] scrubber_actor spawn_scrubber(
  caf::actor_system& system,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o);

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::storage::scrub_report)
