#pragma once

#include "actors/types.hpp"
#include "storage/store.hpp"

#include <caf/fwd.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <span>

namespace slipway::actors {

/// The one writer of this process's log. Gathers the appends of all actors and commits what is waiting in one synced write.
/// Answers by plain sends with the caller's correlation number: CAF's requests keep a timer entry each until their deadline.
using journal_actor = caf::typed_actor<
  // Appends; answers the sender with (correlation, messages::outcome). Errors: see event_log::append; too_many_requests when
  // `appends_waiting_max` are queued.
  caf::reacts_to<std::uint64_t, messages::commit>,
  // From itself: everything sent before has been gathered.
  caf::reacts_to<flush_atom>,
  // The actor is sent every record_batch from now on.
  caf::reacts_to<tail_atom, caf::actor>>;

constexpr std::size_t appends_waiting_max = 65'536;
constexpr std::size_t appends_per_flush_max = 1024;

/// Runs after a flush is durable and before any of its appends is answered, in the journal's thread: what caches must forget
/// before a client can have heard of the change.
using committed_hook = std::function<void(std::span<const messages::log_record>)>;

/// Detached: it blocks in the synced write.
[[nodiscard]] journal_actor spawn_journal(
  caf::actor_system& system,
  std::shared_ptr<storage::event_log> log,
  committed_hook hook);

}  // namespace slipway::actors
