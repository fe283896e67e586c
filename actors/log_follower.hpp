#pragma once

#include "actors/types.hpp"
#include "storage/store.hpp"

#include <functional>
#include <memory>
#include <span>

namespace slipway::actors {

/// Reads the log onwards from a position that its owner keeps: each record exactly once and in order per partition, whether it
/// comes with a batch of the journal or has to be fetched because a batch was missed or the owner was away.
class log_follower {
public:
  using visitor = std::function<void(const messages::log_record&)>;

  /// Continues after `from`; `event_log::last()` means from now on.
  log_follower(std::shared_ptr<storage::event_log> log, storage::event_log::heads from)
    : log_(std::move(log)), at_(from) {}

  /// Everything up to the end of the log. Errors: io_failed, corrupt.
  [[nodiscard]] messages::result<void> catch_up(const visitor& visit);
  /// A batch from the journal, and what is missing before it.
  [[nodiscard]] messages::result<void> take(
    std::span<const messages::log_record> batch,
    const visitor& visit);
  /// What to continue after.
  [[nodiscard]] const storage::event_log::heads& position() const { return at_; }

private:
  [[nodiscard]] messages::result<void>
  read_until(int partition, std::uint64_t last, const visitor& visit);

  std::shared_ptr<storage::event_log> log_;
  storage::event_log::heads at_;
};

}  // namespace slipway::actors
