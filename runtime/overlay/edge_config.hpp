#pragma once

#include "messages/fields.hpp"

#include <cstdint>
#include <string>

namespace slipway::runtime {

/// All that an edge process is told, as one JSON object on its standard input: it holds secrets, so it never stands in
/// arguments or the environment. Limits and what happens at them: docs/protocols/overlay.md, ADR 40.
struct edge_config {
  std::int64_t edge = 0;          ///< number of this edge
  std::uint64_t epoch_floor = 0;  ///< epochs of this process are larger

  std::string bus_endpoint;
  std::string bus_server_key;
  std::string bus_public_key;
  std::string bus_secret_key;

  std::string endpoint = "tcp://127.0.0.1:0";  ///< where devices connect to; port 0 = any free one
  std::string public_key;
  std::string secret_key;

  std::uint32_t keepalive_ms = 60'000;  ///< a session without a ping for three of these ends
  int heartbeat_ms = 20'000;            ///< a connection this long without a byte is probed by TCP
  int heartbeat_timeout_ms = 10'000;    ///< a connection that does not answer is closed
  std::uint32_t lease_ms = 20'000;      ///< of all sessions; renewed three times within it
  int mute_ms = 70'000;      ///< a connection that never showed a valid frame by then is closed
  int penance_ms = 60'000;   ///< how long a key that claimed a foreign identity is refused
  int takeover_ms = 10'000;  ///< least time between two takeovers of one device
  std::uint64_t sessions_max = 18'000;  ///< further handshakes are put off
  std::uint32_t handshakes_per_second_max = 2'000;
  std::uint32_t frames_per_second_max =
    50;  ///< of one device; further ones are dropped and counted as malformed
  std::uint32_t malformed_max = 16;        ///< of one connection; then it is kicked
  std::uint32_t calls_max = 4'096;         ///< in flight; further ones are refused as busy
  std::uint32_t calls_per_device_max = 8;  ///< in flight
  std::uint32_t calls_per_second_max =
    20;  ///< to one device, so that its answers stay below its frames

  SLIPWAY_FIELDS(
    edge,
    epoch_floor,
    bus_endpoint,
    bus_server_key,
    bus_public_key,
    bus_secret_key,
    endpoint,
    public_key,
    secret_key,
    keepalive_ms,
    heartbeat_ms,
    heartbeat_timeout_ms,
    lease_ms,
    mute_ms,
    penance_ms,
    takeover_ms,
    sessions_max,
    handshakes_per_second_max,
    frames_per_second_max,
    malformed_max,
    calls_max,
    calls_per_device_max,
    calls_per_second_max)
};

}  // namespace slipway::runtime
