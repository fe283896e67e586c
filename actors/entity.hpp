#pragma once

#include "actors/journal.hpp"
#include "domain/schema.hpp"
#include "runtime/directory.hpp"
#include "storage/store.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace slipway::actors {

/// What all entities of this process share; outlives them.
struct world {
  std::shared_ptr<const domain::schema> model;
  storage::store store;
  journal_actor journal;
  runtime::directory* directory = nullptr;
  std::function<std::int64_t()> now;  ///< ms since 1970
  std::function<std::string(std::size_t)> random_hex;
  std::string registry_host;
};

constexpr std::size_t commands_waiting_max =
  1024;  ///< of one entity; more are answered too_many_requests
constexpr auto entity_tick = std::chrono::seconds{30};
/// Ticks without a command until an entity sleeps.
constexpr int idle_ticks_max = 10;
/// Ticks that an append may take before the entity ends with its outcome unknown and is activated from the log again.
constexpr int append_ticks_max = 2;

/// An aggregate root: a user, organization, fleet, device, or the catalog. The single writer of its rows: decides one command
/// at a time with the rules of domain/ on the read model (which holds its own rows as of its last commit), appends, and answers
/// the sender with (correlation, messages::outcome) once the events are durable.
///
/// Accepts (std::uint64_t correlation, C) for each command C of messages/command.hpp. Untyped: it is spawned in thousands, and
/// typed actors spawn at a third of the rate (ADR 2).
[[nodiscard]] caf::actor
spawn_entity(caf::actor_system& system, messages::entity_ref ref, std::shared_ptr<const world> w);

}  // namespace slipway::actors
