#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace slipway::gateways::device {

/// How many batches of log records a device may post: `batches_max` in each window of `window_ms` (balena-api.md 8.9).
class log_limiter {
public:
  static constexpr int batches_max = 15;
  static constexpr std::int64_t window_ms = 10'000;

  /// 0 = go ahead, else how long to wait.
  [[nodiscard]] std::int64_t take(std::int64_t device, std::int64_t now_ms) {
    auto& s = shards_[static_cast<std::size_t>(device) / 64 % shards_.size()];
    const std::lock_guard lock(s.mutex);
    if (s.windows.size() >= devices_max) {
      std::erase_if(s.windows, [now_ms](const auto& w) {
        return w.second.begin_ms + window_ms <= now_ms;
      });
    }
    auto& w = s.windows[device];
    if (now_ms >= w.begin_ms + window_ms || now_ms < w.begin_ms) {
      w = {now_ms, 0};
    }
    if (w.count >= batches_max) {
      return w.begin_ms + window_ms - now_ms;
    }
    ++w.count;
    return 0;
  }

private:
  static constexpr std::size_t devices_max =
    4096;  ///< per shard; then windows that are over are forgotten
  struct window {
    std::int64_t begin_ms = -window_ms;
    int count = 0;
  };
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, window> windows;
  };
  std::array<shard, 16> shards_;
};

/// What one stream may send: `rate` bytes a second after a burst of `burst`. Who sends more is read later, not refused.
class log_rate {
public:
  static constexpr std::int64_t rate = 256 * 1024;
  static constexpr std::int64_t burst = 2 * 1024 * 1024;

  explicit log_rate(std::int64_t now_ms) : at_ms_(now_ms) {}
  /// How long to wait before reading on.
  [[nodiscard]] std::int64_t take(std::int64_t bytes, std::int64_t now_ms) {
    const auto gained = (now_ms - at_ms_) * rate / 1000;
    if (gained > 0) {
      credit_ = gained > burst - credit_ ? burst : credit_ + gained;
      at_ms_ = now_ms;
    }
    credit_ -= bytes;
    return credit_ >= 0 ? 0 : -credit_ * 1000 / rate + 1;
  }

private:
  std::int64_t credit_ = burst;
  std::int64_t at_ms_;
};

}  // namespace slipway::gateways::device
