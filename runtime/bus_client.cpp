#include "runtime/assert.hpp"
#include "runtime/bus.hpp"
#include "runtime/bus_queue.hpp"
#include "runtime/log.hpp"
#include "runtime/zmq_support.hpp"

#include <atomic>
#include <thread>

namespace slipway::runtime {
namespace {

constexpr int frames_per_wake_max = 256;
constexpr int retry_ms = 10;  // while the socket takes no more
constexpr int idle_wait_ms = 1'000;
constexpr std::int64_t frame_bytes_max = 64 << 20;
constexpr std::size_t messages_per_frame_max = 4'096;

}  // namespace

struct bus_client::impl {
  bus_client::options options;
  bus_client::callbacks callbacks;
  zmq::context_t context{1};
  wakeup wake;
  bus_queue queue;
  std::string pending;  // a frame that the socket did not take yet
  bool up = false;
  std::atomic<bool> stopping{false};
  std::thread thread;

  impl(bus_client::options o, bus_client::callbacks c)
    : options(std::move(o)), callbacks(std::move(c)) {}

  void configure(zmq::socket_t& socket) const;
  void run();
  void take_event(const monitor_event& e);
  void take_frames(zmq::socket_t& socket);
  bool flush(zmq::socket_t& socket);
};

void bus_client::impl::configure(zmq::socket_t& socket) const {
  socket.set(zmq::sockopt::linger, 200);
  socket.set(zmq::sockopt::routing_id, options.name);
  socket.set(zmq::sockopt::curve_serverkey, options.server_key);
  socket.set(zmq::sockopt::curve_publickey, options.keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
  // Both together make a restarted server see us again (building-blocks.md 0.4).
  socket.set(zmq::sockopt::immediate, true);
  socket.set(zmq::sockopt::probe_router, true);
  socket.set(zmq::sockopt::reconnect_ivl, 100);
  socket.set(zmq::sockopt::reconnect_ivl_max, 2'000);
  socket.set(zmq::sockopt::heartbeat_ivl, 2'000);
  socket.set(zmq::sockopt::heartbeat_timeout, 6'000);
  socket.set(zmq::sockopt::maxmsgsize, frame_bytes_max);
}

void bus_client::impl::take_event(const monitor_event& e) {
  if (e.event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED && !up) {
    up = true;
    queue.open();
    if (callbacks.on_up) {
      callbacks.on_up();
    }
  } else if (e.event == ZMQ_EVENT_DISCONNECTED && up) {
    up = false;
    queue.close();
    pending.clear();
    if (callbacks.on_down) {
      callbacks.on_down();
    }
  }
}

void bus_client::impl::take_frames(zmq::socket_t& socket) {
  zmq::message_t frame;
  for (int i = 0; i < frames_per_wake_max; ++i) {
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) {
      return;
    }
    auto all = messages::unpack_envelopes(view(frame), messages_per_frame_max);
    if (!all) {
      log::warn("a frame of the core does not decode", {{"error", all.error().detail}});
      continue;
    }
    for (auto& e : *all) {
      callbacks.on_message(std::move(e));
    }
  }
}

bool bus_client::impl::flush(zmq::socket_t& socket) {
  while (true) {
    if (pending.empty()) {
      pending = queue.next_frame();
    }
    if (pending.empty()) {
      return true;
    }
    if (!socket.send(zmq::buffer(pending), zmq::send_flags::dontwait)) {
      return false;
    }
    pending.clear();
  }
}

void bus_client::impl::run() {
  try {
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    configure(socket);
    socket_monitor monitor(
      context,
      socket,
      "bus",
      ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
    socket.connect(options.endpoint);
    zmq::pollitem_t items[] = {
      {monitor.socket().handle(), 0, ZMQ_POLLIN, 0},
      {socket.handle(), 0, ZMQ_POLLIN, 0},
      {nullptr, wake.fd(), ZMQ_POLLIN, 0}};
    bool flushed = true;
    while (!stopping) {
      zmq::poll(items, 3, std::chrono::milliseconds(flushed ? idle_wait_ms : retry_ms));
      wake.clear();
      while (const auto e = monitor.next()) {
        take_event(*e);
      }
      take_frames(socket);
      flushed = flush(socket);
    }
    flush(socket);
  } catch (const zmq::error_t& e) {
    log::error("the bus ended", {{"error", e.what()}});
  }
  queue.close();
}

bus_client::bus_client(options o, callbacks c)
  : impl_(std::make_unique<impl>(std::move(o), std::move(c))) {}

bus_client::~bus_client() {
  stop();
}

messages::result<void> bus_client::start() {
  SLIPWAY_ASSERT(!impl_->thread.joinable() && impl_->callbacks.on_message);
  const auto& o = impl_->options;
  const auto own = curve_public_of(o.keys.secret_key);
  if (!is_curve_key(o.server_key) || !own || *own != o.keys.public_key || o.name.empty()) {
    return messages::fail(messages::errc::invalid_argument, "bus keys or name malformed");
  }
  impl_->thread = std::thread([i = impl_.get()] { i->run(); });
  return {};
}

bool bus_client::send(std::string sealed) {
  const bool taken = impl_->queue.push(std::move(sealed));
  if (taken) {
    impl_->wake.ring();
  }
  return taken;
}

void bus_client::stop() {
  if (impl_->thread.joinable()) {
    impl_->stopping = true;
    impl_->wake.ring();
    impl_->thread.join();
  }
}

}  // namespace slipway::runtime
