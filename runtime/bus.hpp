#pragma once

#include "messages/envelope.hpp"
#include "runtime/curve.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

/// Messages between the processes of one Slipway: ZeroMQ with CURVE, each end on a thread of its own (docs/protocols/bus.md).
/// Only a connected peer can be sent to: what is not yet on the wire when a connection ends is dropped, and both ends start
/// over when it is back. So there is nothing to grow while a peer is away.
namespace slipway::runtime {

/// Messages for one peer that wait; past it `send` says no.
constexpr std::size_t bus_queue_messages_max = 65'536;
constexpr std::size_t bus_queue_bytes_max = 64U << 20U;

/// The core's end: a ROUTER that admits the peers it was told of.
class bus_server {
public:
  /// Called on the bus thread; they must not block and must not throw.
  struct callbacks {
    std::function<void(const std::string& peer)> on_up;
    std::function<void(const std::string& peer)> on_down;
    std::function<void(const std::string& peer, messages::envelope)> on_message;
  };
  struct options {
    std::string endpoint = "tcp://127.0.0.1:0";  ///< port 0 = any free one
    curve_keys keys;
  };
  bus_server(options o, callbacks c);
  ~bus_server();  ///< stops
  bus_server(const bus_server&) = delete;
  bus_server& operator=(const bus_server&) = delete;

  /// Binds and starts the thread. Errors: unavailable, invalid_argument.
  [[nodiscard]] messages::result<void> start();
  [[nodiscard]] std::string endpoint() const;  ///< as bound
  /// Lets a peer in, by its public key. The same name again replaces its key. Any thread.
  void allow(const std::string& peer, const std::string& public_key);
  /// Lets a peer in no more and cuts it if it is connected. Any thread.
  void forbid(const std::string& peer);
  /// A sealed envelope for one peer. False: not connected, or its queue is full. Any thread.
  [[nodiscard]] bool send(const std::string& peer, std::string sealed);
  /// Blocks; no callback afterwards. Not from a callback.
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// The other end: a DEALER that connects and reconnects for ever.
class bus_client {
public:
  struct callbacks {
    std::function<void()> on_up;  ///< connected anew: start over
    std::function<void()> on_down;
    std::function<void(messages::envelope)> on_message;
  };
  struct options {
    std::string endpoint;
    std::string server_key;  ///< pinned
    curve_keys keys;
    std::string name;  ///< as the server knows this peer
  };
  bus_client(options o, callbacks c);
  ~bus_client();  ///< stops
  bus_client(const bus_client&) = delete;
  bus_client& operator=(const bus_client&) = delete;

  [[nodiscard]] messages::result<void> start();
  /// False: not connected, or the queue is full. Any thread.
  [[nodiscard]] bool send(std::string sealed);
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
