#pragma once

#include "actors/types.hpp"
#include "storage/device_logs.hpp"

#include <caf/fwd.hpp>
#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>

namespace slipway::actors {

/// Lines of one device on their way into the store. Without lines it only waits for what was appended before to be durable.
struct log_append {
  storage::log_batch batch;
  bool durable = false;
  /// Called once, in the writer's thread.
  std::function<void(messages::result<storage::log_extent>)> done;
};
using log_append_ptr = std::shared_ptr<log_append>;

/// The one writer of device logs: gathers what all connections append and writes it in one batch (ADR 65).
using log_writer_actor = caf::typed_actor<
  // Errors: see storage::device_logs::append.
  caf::reacts_to<log_append_ptr>,
  // From itself: everything sent before has been gathered.
  caf::reacts_to<flush_atom>,
  // From itself: makes durable what is not yet, and takes a step of the sweep.
  caf::reacts_to<tick_atom>>;

constexpr std::size_t log_appends_per_flush_max = 1024;
/// Least time between two synced writes, so that device logs leave the disk to the event log.
constexpr std::int64_t log_sync_gap_ms = 5;
/// What was appended without waiting is durable after this time.
constexpr std::int64_t log_tick_ms = 1'000;
/// Between two rounds of the sweep.
constexpr std::int64_t log_sweep_pause_ms = 60'000;

struct log_writer_links {
  std::shared_ptr<storage::device_logs> store;
  std::function<bool(std::int64_t device)> exists;
  /// After a write is visible and before any of its appends is answered.
  std::function<void(std::int64_t device, const storage::log_extent& now)> written;
  std::function<std::int64_t()> now_ms;     ///< since 1970
  std::function<std::int64_t()> steady_ms;  ///< monotonic
};

/// Detached: it blocks in the write.
[[nodiscard]] log_writer_actor spawn_log_writer(caf::actor_system& system, log_writer_links links);

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::log_append_ptr)
