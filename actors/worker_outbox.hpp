#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <utility>

namespace slipway::actors {

/// Output that waits for a lost connection; past it lines are dropped.
constexpr std::size_t worker_outbox_bytes_max = 4U << 20U;

/// What a worker says to the core: sent at once while there is a connection, else kept in its order.
class worker_outbox {
public:
  /// A sealed envelope for the core. False: not connected, or the queue is full.
  using sender = std::function<bool(std::string)>;
  explicit worker_outbox(sender send = {}) : send_(std::move(send)) {}

  /// Connected anew; `first` goes before all that waits. It is not kept for the next connection, which has one of its own.
  void up(std::string first);
  void down() { connected_ = false; }
  [[nodiscard]] bool connected() const { return connected_; }
  /// `may_drop`: there is a limit to how much of it is kept.
  void put(std::string sealed, bool may_drop);
  void flush();
  void clear();

private:
  sender send_;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool connected_ = false;
};

}  // namespace slipway::actors
