#pragma once

#include <zmq.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Small helpers around ZeroMQ sockets. For .cpp files: it includes zmq.hpp.
namespace slipway::runtime {

/// An eventfd that lets other threads wake the one that polls.
class wakeup {
public:
  wakeup();
  ~wakeup();
  wakeup(const wakeup&) = delete;
  wakeup& operator=(const wakeup&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  void ring() const;  ///< Any thread.
  void clear() const;

private:
  int fd_ = -1;
};

/// What happened to the connections of a socket, in order.
struct monitor_event {
  std::uint16_t event = 0;  ///< ZMQ_EVENT_...
  std::uint32_t value = 0;  ///< fd, errno or status, by event
  std::string address;
};

class socket_monitor {
public:
  /// Watches `watched` until either dies. `name` is unique in the context.
  socket_monitor(
    zmq::context_t& context,
    zmq::socket_t& watched,
    const std::string& name,
    int events);
  ~socket_monitor();
  socket_monitor(const socket_monitor&) = delete;
  socket_monitor& operator=(const socket_monitor&) = delete;
  [[nodiscard]] zmq::socket_t& socket() { return events_; }
  /// The next event, nothing when there is none now.
  [[nodiscard]] std::optional<monitor_event> next();

private:
  zmq::socket_t& watched_;
  zmq::socket_t events_;
};

inline std::string_view view(const zmq::message_t& m) {
  return {static_cast<const char*>(m.data()), m.size()};
}

/// The authenticated user of a frame's connection, "" when there is none.
std::string user_of(const zmq::message_t& m);
/// The descriptor of the connection that a frame came in on, -1 when it has none.
int descriptor_of(zmq::message_t& m);
/// Address of the peer, "" when unknown.
std::string address_of(const zmq::message_t& m);

}  // namespace slipway::runtime
