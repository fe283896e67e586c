#pragma once

#include "messages/overlay.hpp"
#include "runtime/curve.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace slipway::agent {

enum class link_state : std::uint8_t { stopped, connecting, connected };

/// What the link is doing, for people and for reports over the other channel.
struct link_status {
  link_state state = link_state::stopped;
  std::string reason;         ///< why it is not connected (last failure), "" while connected
  std::int64_t since_ms = 0;  ///< when it came into this state, by the device's clock
  std::uint64_t epoch = 0;    ///< of the current or last session
  std::int64_t server_time_offset_ms = 0;  ///< server's clock minus ours, as of the last welcome
};

struct link_options {
  std::string endpoint;    ///< "tcp://host:port"
  std::string server_key;  ///< Z85 public key of the edge, pinned
  runtime::curve_keys keys;
  std::string uuid;  ///< 32 hex characters; also the routing id
  std::string agent_version;
  std::uint32_t keepalive_ms = 0;   ///< wished for, 0 = the edge decides
  int connect_timeout_ms = 30'000;  ///< TCP and CURVE; an edge in a reconnect storm takes its time
  int welcome_timeout_ms = 10'000;  ///< from hello to welcome, and from ping to pong
  int reconnect_ms_min = 500;       ///< pause after a failure: random in [x/2, x], x doubling
  int reconnect_ms_max = 60'000;
};

/// Called on the link's own thread; they must not block for long and must not throw. Forward to actors with anon_send.
struct link_callbacks {
  /// After each (re)connect. The agent fetches its target state now: notices may have been lost with a dead edge.
  std::function<void(const messages::welcome&)> on_connected;
  std::function<void(const std::string& reason)> on_disconnected;
  /// Each notice once, unless the agent restarts before it acknowledged it. An expired one is not delivered.
  std::function<void(const messages::notice&)> on_notice;
  /// A request to the supervisor API. To be answered with `answer` and the same epoch. Empty = this device takes none.
  std::function<void(std::uint64_t epoch, messages::call)> on_call;
};

/// The device's end of the overlay: one thread, one DEALER with CURVE, reconnecting for ever with jitter.
class overlay_link {
public:
  overlay_link(link_options options, link_callbacks callbacks);
  ~overlay_link();  ///< stops
  overlay_link(const overlay_link&) = delete;
  overlay_link& operator=(const overlay_link&) = delete;

  /// Errors: invalid_argument (a key or the endpoint is malformed). Once.
  [[nodiscard]] messages::result<void> start();
  /// The notice was carried out or safely stored: the edge must not send it again. Any thread; also while not connected, then
  /// it goes out after the next hello.
  void ack(std::uint64_t notice_id);
  /// Answers a call of the session `epoch`; dropped when that session is over. Any thread.
  void answer(std::uint64_t epoch, messages::call_answer answer);
  [[nodiscard]] link_status status() const;  ///< Any thread.
  /// Blocks until the thread is gone; no callback afterwards. Not from a callback.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::agent
