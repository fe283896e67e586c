#pragma once

#include "runtime/curve.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

/// What the parts and processes of the fan-out benchmark share; `contest` is memory mapped before they fork.
namespace slipway::bench {

constexpr int sessions_most = 18'000;
constexpr int handshakes_at_once = 100;  // of one client process
constexpr int ping_every_ms = 60'000;    // of a session, as agents do by default

struct contest {
  std::atomic<int> go{0};  ///< 1 = connect, 2 = end
  std::atomic<int> connected{0};
  std::atomic<int> received{0};
  std::atomic<int> rejoined{0};  ///< sessions that were lost and greeted again
  std::atomic<int> failed{0};
  int port = 0;
  std::array<char, 48> server_key{};
  /// When each session had the message of this round, ns; 0 = not yet.
  std::array<std::atomic<std::int64_t>, sessions_most> at{};

  void told(int session, std::int64_t when) {
    std::int64_t none = 0;
    if (at[static_cast<std::size_t>(session)].compare_exchange_strong(none, when)) {
      ++received;
    }
  }
  void new_round() {
    for (auto& a : at) {
      a = 0;
    }
    received = 0;
  }
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

/// A TCP port of the loopback that nobody listens on now.
int free_port();

/// Each runs in a process of its own until `go` is 2: sessions `first` to `last`, not included.
void run_overlay_clients(contest& c, const std::vector<bench_device>& devices, int first, int last);
void run_mqtt_clients(contest& c, int first, int last);

}  // namespace slipway::bench
