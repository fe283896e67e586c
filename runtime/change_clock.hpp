#pragma once

#include "messages/entity.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace slipway::runtime {

/// Tells caches whether what they derived from an entity may have changed: a count per entity, kept in a fixed number of slots.
/// Entities that share a slot only cost a needless derivation. The journal advances it after a commit is durable and before anyone
/// is answered, so who has been told of a change cannot be served what was before it.
class change_clock {
public:
  void advance(messages::entity_ref entity) {
    slot(entity).fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t read(messages::entity_ref entity) const {
    return const_cast<change_clock*>(this)->slot(entity).load(std::memory_order_acquire);
  }

private:
  static constexpr std::size_t slot_count = 1U << 16U;
  std::atomic<std::uint64_t>& slot(messages::entity_ref entity) {
    return (*slots_)[std::hash<messages::entity_ref>{}(entity) % slot_count];
  }
  std::unique_ptr<std::array<std::atomic<std::uint64_t>, slot_count>> slots_ =
    std::make_unique<std::array<std::atomic<std::uint64_t>, slot_count>>();
};

}  // namespace slipway::runtime
