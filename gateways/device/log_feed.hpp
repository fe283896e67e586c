#pragma once

#include "gateways/device/log_records.hpp"
#include "storage/device_logs.hpp"

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace slipway::gateways::device {

struct log_feed_limits {
  /// A reader further behind than this loses what is between, and is told how much.
  std::uint64_t lag_lines_max = 10'000;
  std::uint64_t lag_lines_kept = 100;
  std::int64_t heartbeat_ms = 58'000;
  std::size_t piece_bytes = 64 * 1024;
};

/// Consecutive lines of a device as text, one JSON object a line.
struct log_piece {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::string text;
};

/// The end of one device's log, shared by all who follow it: each new piece is read and encoded once.
class log_tail {
public:
  log_tail(std::shared_ptr<const storage::device_logs> store, std::int64_t device)
    : store_(std::move(store)), device_(device) {}

  [[nodiscard]] std::int64_t device() const { return device_; }
  [[nodiscard]] std::uint64_t head() const { return head_.load(std::memory_order_acquire); }
  /// There are lines up to this number now. Any thread.
  void advance(std::uint64_t last);
  /// What follows line `after`; null when nothing does. Errors: those of the store.
  [[nodiscard]] messages::result<std::shared_ptr<const log_piece>> after(
    std::uint64_t after,
    std::size_t bytes);
  /// A piece of its own, outside of what is shared: lines after `after` up to `until`, those of the device's time `start_ms` or later.
  [[nodiscard]] messages::result<std::shared_ptr<const log_piece>>
  read(std::uint64_t after, std::uint64_t until, std::size_t bytes, std::int64_t start_ms) const;

  using waker = std::function<void()>;
  /// `wake` runs, in any thread, whenever a follower should look again. It is forgotten with its owner.
  void add(const std::shared_ptr<waker>& wake);
  void wake_all();
  [[nodiscard]] std::size_t followers();

private:
  std::shared_ptr<const storage::device_logs> store_;
  std::int64_t device_;
  std::atomic<std::uint64_t> head_{0};
  std::mutex pieces_mutex_;
  std::deque<std::shared_ptr<const log_piece>> pieces_;  ///< the newest, without a gap between them
  std::mutex wakers_mutex_;
  std::vector<std::weak_ptr<waker>> wakers_;
};

/// What one reader is to be sent, in order: history, then lines as they come, without a gap and without a line twice; or a line that
/// says how many were left out. Holds a position in the store and nothing else.
class log_feed {
public:
  /// History begins after line `after` and ends with what is there now.
  log_feed(
    std::shared_ptr<log_tail> tail,
    std::uint64_t after,
    std::int64_t start_ms,
    std::int64_t now_ms,
    log_feed_limits limits = {})
    : tail_(std::move(tail)),
      limits_(limits),
      position_(after),
      history_end_(tail_->head()),
      start_ms_(start_ms),
      told_ms_(now_ms) {}

  /// What to send now; empty = nothing. A lone line end is the heartbeat. Errors: those of the store.
  [[nodiscard]] messages::result<std::shared_ptr<const std::string>> next(std::int64_t now_ms);
  [[nodiscard]] bool in_history() const { return position_ < history_end_; }
  /// When there will be something to send even if no line comes.
  [[nodiscard]] std::int64_t due_ms() const { return told_ms_ + limits_.heartbeat_ms; }
  [[nodiscard]] std::uint64_t position() const { return position_; }

private:
  using piece = std::shared_ptr<const log_piece>;
  [[nodiscard]] messages::result<piece> next_piece();
  [[nodiscard]] std::string left_out(std::uint64_t lines, std::int64_t now_ms) const;

  std::shared_ptr<log_tail> tail_;
  log_feed_limits limits_;
  std::uint64_t position_ = 0;
  std::uint64_t history_end_ = 0;
  std::int64_t start_ms_ = 0;
  std::int64_t told_ms_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace slipway::gateways::device
