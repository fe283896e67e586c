#pragma once

#include "messages/edge_bus.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace slipway::runtime {

/// Called exactly once, on any thread, also on the caller's own; it must not block and must not throw.
using call_done = std::function<void(messages::call_result)>;

/// The core's calls that wait for an edge's word. Any thread.
class device_calls {
public:
  /// `start` makes the numbers of this process differ from those of an earlier one.
  explicit device_calls(std::uint64_t start) : last_(start) {}

  /// The number of the new call; 0 when `in_flight_max` wait already. `done` is kept.
  [[nodiscard]] std::uint64_t add(std::int64_t device, std::int64_t deadline, call_done done);
  /// An edge's word; what nobody waits for, or waits for from another device, is dropped.
  void take(messages::call_result r);
  /// The edge's own deadline comes first; this one is for an edge that says nothing.
  void expire(std::int64_t now);
  /// The edge is gone, and with it what it knew.
  void fail_all();
  void fail(std::uint64_t call, messages::call_outcome why);

  static constexpr std::size_t in_flight_max = 4'096;

private:
  struct waiting {
    std::int64_t device = 0;
    std::int64_t deadline = 0;  ///< steady ms
    call_done done;
  };
  using table = std::unordered_map<std::uint64_t, waiting>;

  std::mutex mutex_;
  table calls_;
  std::uint64_t last_;
};

}  // namespace slipway::runtime
