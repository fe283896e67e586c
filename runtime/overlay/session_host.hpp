#pragma once

#include "messages/edge_bus.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::runtime {

/// Bytes that many connections may share.
using shared_frame = std::shared_ptr<const std::string>;

/// What sessions ask of the transport. Any thread.
class session_port {
public:
  virtual ~session_port() = default;
  /// Dropped when the connection is gone; a frame its queue cannot take is dropped too, and sent again by the session later.
  virtual void send(std::uint64_t connection, shared_frame frame) = 0;
  virtual void presence(messages::presence_entry entry) = 0;
  virtual void acked(messages::acked_notice notice) = 0;
  virtual void notices_dropped(std::uint64_t count) = 0;
  /// The session of this device holds nothing any more, after `received` messages.
  virtual void idle(std::int64_t device, std::uint64_t received) = 0;
};

struct session_hello {
  std::int64_t device = 0;
  std::uint64_t connection = 0;  ///< number of the connection in this edge
  std::uint64_t epoch = 0;
  std::int64_t time = 0;
  std::string address;
  shared_frame welcome;
};

/// A notice made ready once for all its receivers.
struct prepared_notice {
  std::uint64_t id = 0;
  messages::notice_kind kind = messages::notice_kind::none;
  std::int64_t expires = 0;
  shared_frame frame;
};

/// Where the sessions live. Called by the edge's socket thread only; returns at once.
class session_host {
public:
  virtual ~session_host() = default;
  virtual void hello(session_hello h) = 0;
  virtual void acked(std::int64_t device, std::vector<std::uint64_t> ids, std::int64_t time) = 0;
  virtual void gone(std::int64_t device, std::uint64_t connection, std::int64_t time) = 0;
  virtual void notify(
    std::shared_ptr<const prepared_notice> notice,
    const std::vector<std::int64_t>& devices,
    std::int64_t time) = 0;
  virtual void cancel(std::uint64_t notice, const std::vector<std::int64_t>& devices) = 0;
  /// The device lost its right to a session: what waits for it is forgotten.
  virtual void forget(std::int64_t device) = 0;
  /// Every session reports its presence again.
  virtual void announce() = 0;
  /// Now and then: sessions drop what expired and send again what was not acknowledged.
  virtual void tick(std::int64_t time) = 0;
  /// From `session_port::idle`, on the socket thread.
  virtual void idle(std::int64_t device, std::uint64_t received) = 0;
};

}  // namespace slipway::runtime
