#include "runtime/zmq_support.hpp"

#include "runtime/assert.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

namespace slipway::runtime {

wakeup::wakeup() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  SLIPWAY_ASSERT(fd_ >= 0);
}

wakeup::~wakeup() {
  ::close(fd_);
}

void wakeup::ring() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full: then the reader is awake anyway.
  [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
}

void wakeup::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof count);
}

socket_monitor::socket_monitor(
  zmq::context_t& context,
  zmq::socket_t& watched,
  const std::string& name,
  int events)
  : watched_(watched), events_(context, zmq::socket_type::pair) {
  const auto endpoint = "inproc://monitor." + name;
  events_.set(zmq::sockopt::linger, 0);
  // Events must never be lost: a missed disconnect would leave a session online.
  events_.set(zmq::sockopt::rcvhwm, 0);
  if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), events) != 0) {
    throw zmq::error_t();
  }
  events_.connect(endpoint);
}

socket_monitor::~socket_monitor() {
  if (watched_.handle() != nullptr) {
    zmq_socket_monitor(watched_.handle(), nullptr, 0);
  }
}

std::optional<monitor_event> socket_monitor::next() {
  zmq::message_t head;
  if (!events_.recv(head, zmq::recv_flags::dontwait)) {
    return std::nullopt;
  }
  monitor_event e;
  if (head.size() >= 6) {
    std::memcpy(&e.event, head.data(), sizeof e.event);
    std::memcpy(&e.value, static_cast<const char*>(head.data()) + 2, sizeof e.value);
  }
  if (head.more()) {
    zmq::message_t address;
    if (events_.recv(address, zmq::recv_flags::dontwait)) {
      e.address = view(address);
    }
  }
  return e;
}

namespace {

std::string property(const zmq::message_t& m, const char* name) {
  // Through the C function: zmq::message_t::gets throws for a property that is not there, which is ordinary here.
  const char* text = zmq_msg_gets(const_cast<zmq::message_t&>(m).handle(), name);
  return text == nullptr ? std::string{} : std::string(text);
}

}  // namespace

std::string user_of(const zmq::message_t& m) {
  return property(m, "User-Id");
}

std::string address_of(const zmq::message_t& m) {
  return property(m, "Peer-Address");
}

int descriptor_of(zmq::message_t& m) {
  return zmq_msg_get(m.handle(), ZMQ_SRCFD);
}

}  // namespace slipway::runtime
