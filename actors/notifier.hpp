#pragma once

#include "actors/journal.hpp"
#include "messages/edge_bus.hpp"
#include "storage/store.hpp"

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace slipway::actors {

/// What the notifier says to the overlay. Each may fail when no edge is joined: then nobody is connected who could be told, and the
/// device table is read anew when one joins.
struct overlay_port {
  std::function<void(std::vector<messages::admitted_device>)> admit;
  std::function<void(std::vector<std::int64_t>)> revoke;
  std::function<void(messages::send_notice)> notify;
  std::function<std::int64_t()> now;  ///< ms since 1970
};

/// Tails the log and tells the overlay: which keys may connect, and which devices have a new target state to fetch.
[[nodiscard]] caf::actor spawn_notifier(
  caf::actor_system& system,
  const journal_actor& journal,
  storage::store store,
  overlay_port port);

/// All devices that may hold a session, as an edge that joins is told.
[[nodiscard]] std::vector<messages::admitted_device> admitted_devices(
  const storage::read_model& rows);

/// Devices that the rows say are online: (device, edge, epoch). They are, until their lease runs out without a sign of them.
struct online_device {
  std::int64_t device = 0;
  std::int64_t edge = 0;
  std::uint64_t epoch = 0;
};
[[nodiscard]] std::vector<online_device> online_devices(const storage::read_model& rows);

}  // namespace slipway::actors
