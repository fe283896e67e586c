#pragma once

#include "runtime/curve.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

/// What the fan-out benchmark's processes share: a piece of memory mapped before they fork.
namespace slipway::bench {

constexpr int sessions_most = 18'000;
constexpr int handshakes_at_once = 100;  // of one client process

struct contest {
  std::atomic<int> go{0};  ///< 1 = connect, 2 = end
  std::atomic<int> connected{0};
  std::atomic<int> received{0};
  std::atomic<int> failed{0};
  int port = 0;
  std::array<char, 48> server_key{};
  std::array<std::int64_t, sessions_most> at{};  ///< when each session had the last message, ns
};

struct bench_device {
  std::string uuid;
  runtime::curve_keys keys;
};

inline std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
           std::chrono::steady_clock::now().time_since_epoch())
    .count();
}

/// Each runs in a process of its own until `go` is 2: sessions `first` to `last`, not included.
void run_overlay_clients(contest& c, const std::vector<bench_device>& devices, int first, int last);
void run_mqtt_clients(contest& c, int first, int last);

}  // namespace slipway::bench
