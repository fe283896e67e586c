#pragma once

#include "messages/entity.hpp"

#include <caf/actor.hpp>
#include <caf/fwd.hpp>
#include <caf/message.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace slipway::runtime {

/// Where entities live. Actors are virtual: addressed by (kind, id), activated on the first message, passivated when idle;
/// nobody holds their handle. Safe from any thread.
class directory {
public:
  using factory = std::function<caf::actor(messages::entity_ref)>;

  /// Before the first `send`.
  void add(messages::entity_kind kind, factory make);

  /// Delivers to the entity, activating it if it is not. `from` receives the answer.
  void send(const caf::actor& from, messages::entity_ref to, caf::message m);

  /// Called by an entity that wants to sleep: forgets it unless messages wait. Sends hold the same lock, so nothing can be lost
  /// between the check and the sleep, and the entity never lives twice.
  [[nodiscard]] bool release(
    messages::entity_ref entity,
    const std::function<bool()>& mailbox_is_empty);

  /// Called when an entity ended for any other reason; the next message activates it anew.
  void forget(messages::entity_ref entity, std::uint64_t actor_id);

  [[nodiscard]] std::size_t active() const;
  /// Ends all entities; further sends are dropped.
  void stop();

private:
  struct shard {
    mutable std::mutex mutex;
    std::unordered_map<messages::entity_ref, caf::actor> live;
    bool stopped = false;
  };
  shard& shard_of(messages::entity_ref entity);

  std::array<factory, 16> factories_;
  std::array<shard, 16> shards_;
};

}  // namespace slipway::runtime
