#pragma once

#include "messages/overlay.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::domain {

/// Notices of one device that were not acknowledged yet, oldest first. Of `update` only the latest is kept.
class notice_queue {
public:
  struct item {
    std::uint64_t id = 0;
    messages::notice_kind kind = messages::notice_kind::none;
    std::int64_t expires = 0;                  ///< 0 = never
    std::shared_ptr<const std::string> frame;  ///< as it goes out; shared by all receivers
    std::int64_t sent = 0;                     ///< when last, 0 = not on this connection
  };

  /// Past it the oldest is dropped.
  static constexpr std::size_t items_max = 32;

  /// How many were dropped for it: 0 or 1. A notice that is there already is not added again.
  std::size_t add(item i);
  bool acknowledge(std::uint64_t id);
  bool cancel(std::uint64_t id) { return acknowledge(id); }
  /// How many expired.
  std::size_t expire(std::int64_t now);
  /// A new connection: everything is to be sent again.
  void unsend();
  /// What to send now, marked as sent: what was not sent yet, or longer ago than `again_after` ms.
  [[nodiscard]] std::vector<std::shared_ptr<const std::string>> due(
    std::int64_t now,
    std::int64_t again_after);

  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t size() const { return items_.size(); }

private:
  std::vector<item> items_;
};

}  // namespace slipway::domain
