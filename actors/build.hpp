#pragma once

#include "actors/build_world.hpp"

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include <memory>

namespace slipway::actors {

/// One build from its order to its end: creates release and build, waits for a worker, keeps the log, moves the rows, ends. Every step
/// is durable in the fleet's stream before the next begins; an actor that dies leaves a build that the next start ends as failed.
///
/// Accepts the messages of build_messages.hpp from `manager`, and answers of the fleet's entity. Untyped, as entities are (ADR 2).
[[nodiscard]] caf::actor spawn_build(
  caf::actor_system& system,
  std::shared_ptr<const build_world> world,
  caf::actor manager,
  build_order order,
  builds::answer<build_ticket> done);

}  // namespace slipway::actors
