#pragma once

#include "actors/blob_keepers.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/make_message.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace slipway::actors {

using run_atom = caf::atom_constant<caf::atom("run")>;
using report_atom = caf::atom_constant<caf::atom("report")>;
using step_atom = caf::atom_constant<caf::atom("step")>;
using due_atom = caf::atom_constant<caf::atom("due")>;

/// Runs the garbage collection, a step per message to itself, so that questions are answered between steps.
using collector_actor = caf::typed_actor<
  // Begins a run, true = a dry one. Answers false when one is under way.
  caf::replies_to<run_atom, bool>::with<bool>,
  caf::replies_to<report_atom>::with<storage::collection_report>,
  // From itself.
  caf::reacts_to<step_atom>,
  caf::reacts_to<due_atom>>;

struct collector_actor_state {
  static inline const char* name = "collector";

  bool run(bool dry_run, int pause);
  void step();
  void due();

  collector_actor::stateful_pointer<collector_actor_state> self = nullptr;
  std::shared_ptr<const keeper_parts> parts;
  keeper_options options;
  std::unique_ptr<storage::collector> running;
  storage::collection_report last;
  int pause_per_work = 1;
};

/// Detached: its steps read and write the disk.
[[nodiscard]] collector_actor spawn_collector(
  caf::actor_system& system,
  std::shared_ptr<const keeper_parts> parts,
  keeper_options o);

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::storage::collection_report)
