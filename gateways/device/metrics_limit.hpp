#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace slipway::gateways::device {

/// How often what a device measures is written: once a minute, more often only along with something else (balena-api.md 8.7).
class metrics_limit {
public:
  /// Whether it is time again; if so, time begins anew.
  [[nodiscard]] bool due(std::int64_t device, std::int64_t now_ms) {
    auto& s = shards_[static_cast<std::size_t>(device) / 64 % shards_.size()];
    const std::lock_guard lock(s.mutex);
    if (s.last.size() >= devices_max) {
      s.last.clear();  // one write more for each, no more
    }
    const auto [it, fresh] = s.last.try_emplace(device, now_ms);
    if (!fresh && now_ms - it->second < pause_ms && now_ms >= it->second) {
      return false;
    }
    it->second = now_ms;
    return true;
  }

private:
  static constexpr std::int64_t pause_ms = 60'000;
  static constexpr std::size_t devices_max = 65'536;  ///< per shard
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, std::int64_t> last;
  };
  std::array<shard, 16> shards_;
};

}  // namespace slipway::gateways::device
