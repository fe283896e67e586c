#pragma once

#include "gateways/services.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace slipway::gateways::device {

/// Who asked for its target state lately: the second, independent sign of life beside the overlay (balena-api.md 8.11). Only
/// transitions are written: first seen -> online; silent for 1.5 poll intervals -> timeout; 15 s more -> offline.
class heartbeats {
public:
  /// Devices that the rows say are not offline begin as just seen.
  explicit heartbeats(std::shared_ptr<const services> s);
  /// Cheap: called for every state GET of a device.
  void seen(std::int64_t device, std::int64_t poll_ms);
  /// Tells entities what silence has changed. Called every few seconds.
  void sweep();

private:
  struct entry {
    std::int64_t last_ms = 0;
    std::int64_t poll_ms = 0;
    bool timed_out = false;
  };
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, entry> entries;
  };
  shard& of(std::int64_t device) {
    return shards_[static_cast<std::size_t>(device) / 64 % shards_.size()];
  }
  void tell(std::int64_t device, const char* state) const;

  std::shared_ptr<const services> s_;
  std::array<shard, 16> shards_;
};

}  // namespace slipway::gateways::device
