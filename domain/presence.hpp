#pragma once

#include "messages/command.hpp"

#include <cstdint>
#include <optional>

namespace slipway::domain {

/// What is known of a device's overlay session.
struct presence {
  std::int64_t edge = 0;
  std::uint64_t epoch = 0;  ///< 0 = never seen
  bool online = false;
  friend bool operator==(const presence&, const presence&) = default;
};

struct presence_change {
  presence next;
  bool flipped =
    false;  ///< online became offline or the reverse: time for `last_connectivity_event`
  friend bool operator==(const presence_change&, const presence_change&) = default;
};

/// What an edge's word changes, nothing when it is stale. Epochs order everything: a larger one is a later session, wherever
/// it is; of one session the last word counts, and only from the edge that holds it. Edges and the lapse of their leases
/// speak in order.
[[nodiscard]] std::optional<presence_change> decide_presence(
  const presence& known,
  const messages::set_presence& word);

}  // namespace slipway::domain
