#pragma once

#include "actors/build_world.hpp"
#include "actors/journal.hpp"

#include <memory>

namespace slipway::actors {

/// Starts the actor that gives out workers; first of all it ends what an earlier process left under way. The system outlives the result;
/// builds that live when it goes end with their actors, and as failed at the next start.
[[nodiscard]] std::unique_ptr<builds> make_builds(
  caf::actor_system& system,
  std::shared_ptr<const build_world> world,
  const journal_actor& journal);

}  // namespace slipway::actors
