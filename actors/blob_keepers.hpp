#pragma once

#include "storage/collector.hpp"
#include "storage/scrubber.hpp"

#include <cstdint>
#include <functional>
#include <memory>

namespace caf {
class actor_system;
}

namespace slipway::actors {

/// What keeps the blobs of images in order while the server runs: the collector and the scrubber, an actor each with a thread of its own.
struct keeper_parts {
  storage::blob_store& blobs;
  storage::repository_store& repositories;
  storage::linked_blobs& links;
  std::function<storage::repository_user()> users;  ///< called at the start of each collection
  std::function<std::int64_t()> now_ms;
};

struct keeper_options {
  storage::collector_options collection;
  std::int64_t collect_every_ms = std::int64_t{60} * 60 * 1000;  ///< 0 = never by itself
  std::int64_t scrub_bytes_per_second = 20'000'000;              ///< 0 = never by itself
  /// From the start of one round over all blobs to that of the next.
  std::int64_t scrub_every_ms = std::int64_t{7} * 24 * 60 * 60 * 1000;
};

/// For the operator. Callable from any thread outside of the actor system; waits for a step under way.
class blob_keepers {
public:
  virtual ~blob_keepers() = default;
  /// Begins a run at once. Errors: conflict (one is under way), timed_out.
  [[nodiscard]] virtual messages::result<void> collect(bool dry_run) = 0;
  /// Of the run under way, else of the last one that was asked for or came by itself.
  [[nodiscard]] virtual messages::result<storage::collection_report> collection() = 0;
  /// Begins a round over all blobs at once, without a limit but its own pauses. The scrubber's own round goes on later.
  [[nodiscard]] virtual messages::result<void> scrub() = 0;
  [[nodiscard]] virtual messages::result<storage::scrub_report> scrubbing() = 0;
};

/// The system and the parts outlive it. Its end ends both actors and waits for them.
[[nodiscard]] std::unique_ptr<blob_keepers>
start_blob_keepers(caf::actor_system& system, keeper_parts parts, keeper_options o);

}  // namespace slipway::actors
