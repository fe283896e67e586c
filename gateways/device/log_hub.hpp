#pragma once

#include "gateways/device/log_feed.hpp"
#include "messages/error.hpp"
#include "storage/device_logs.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

namespace slipway::actors {
struct log_append;
}

namespace slipway::gateways::device {

/// At each limit the newcomer is refused; those who are there go on.
struct log_hub_limits {
  std::size_t bytes_waiting_max = 32U << 20U;  ///< of all lines on their way into the store
  std::size_t senders_max = 12'000;
  std::size_t senders_per_device_max = 4;
  std::size_t readers_max = 2'048;
  std::size_t readers_per_device_max = 64;
};

/// Where connections and the device logs' writer meet. Safe from any thread.
class log_hub {
public:
  /// Hands an append to the writer; null when there is none any more.
  using writer = std::function<void(std::shared_ptr<actors::log_append>)>;

  explicit log_hub(
    std::shared_ptr<const storage::device_logs> store,
    log_hub_limits limits = {},
    log_feed_limits feed_limits = {});
  ~log_hub();
  /// Before the first request.
  void connect(writer w) { writer_ = std::move(w); }

  [[nodiscard]] const storage::device_logs& store() const { return *store_; }
  [[nodiscard]] const log_feed_limits& feed_limits() const { return feed_limits_; }

  /// Answers once the lines are in the store; with `durable`, on disk. Errors: unavailable (too much is waiting), those of the store.
  [[nodiscard]] boost::asio::awaitable<messages::result<storage::log_extent>>
  append(boost::asio::any_io_executor executor, storage::log_batch batch, bool durable);
  /// The writer's word that lines of this device are readable.
  void written(std::int64_t device, const storage::log_extent& now);

  /// A place among those who follow a device, or who send for one; given back when it is destroyed.
  class place {
  public:
    ~place();
    place(const place&) = delete;
    place& operator=(const place&) = delete;

  private:
    friend class log_hub;
    place(log_hub* hub, std::int64_t device, bool reader)
      : hub_(hub), device_(device), reader_(reader) {}
    log_hub* hub_;
    std::int64_t device_;
    bool reader_;
  };
  /// Errors: too_many_requests.
  [[nodiscard]] messages::result<std::unique_ptr<place>> enter(std::int64_t device, bool reader);
  /// The end of a device's log, for a reader that has its place.
  [[nodiscard]] messages::result<std::shared_ptr<log_tail>> tail(std::int64_t device);

  /// Somebody's rights changed: every reader looks at once whether it may go on.
  void recheck() { wake_all(); }
  /// All readers end.
  void close();
  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }

  struct counters {
    std::size_t readers = 0;
    std::size_t senders = 0;
    std::size_t tails = 0;
    std::uint64_t lines = 0;
    std::uint64_t refused = 0;
  };
  [[nodiscard]] counters count();

private:
  struct waiting;
  void leave(std::int64_t device, bool reader);
  void wake_all();

  std::shared_ptr<const storage::device_logs> store_;
  log_hub_limits limits_;
  log_feed_limits feed_limits_;
  writer writer_;
  std::atomic<std::size_t> bytes_waiting_{0};
  std::atomic<std::uint64_t> lines_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<bool> closed_{false};

  std::mutex places_mutex_;
  std::array<std::unordered_map<std::int64_t, std::size_t>, 2> places_;  ///< senders, readers
  std::array<std::size_t, 2> taken_{};
  std::mutex tails_mutex_;
  std::unordered_map<std::int64_t, std::weak_ptr<log_tail>> tails_;
};

}  // namespace slipway::gateways::device
