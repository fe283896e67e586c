#include "runtime/overlay/edge_router.hpp"

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/curve.hpp"
#include "runtime/log.hpp"
#include "runtime/overlay/edge_core.hpp"
#include "runtime/zmq_support.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>

namespace slipway::runtime {
namespace {

constexpr int frame_bytes_max = 64 * 1024;  // a peer that sends more is disconnected by libzmq
constexpr int frames_waiting_max = 64;      // per peer, in: then its TCP window closes
constexpr int frames_queued_max =
  256;  // per peer, out: then a frame is dropped, its notice sent again later
constexpr int handshake_ms = 60'000;  // 30 s, the default, is short in a reconnect storm
constexpr int backlog = 4'096;
constexpr int frames_per_wake_max = 256;
constexpr int tick_ms = 100;
constexpr int drain_ms = 200;
constexpr int sockets_max = 65'535;
constexpr int keepalive_probes = 2;

struct outgoing_frame {
  std::uint64_t connection = 0;
  shared_frame frame;
};

struct idle_session {
  std::int64_t device = 0;
  std::uint64_t received = 0;
};

int seconds(int ms) {
  return std::max(1, ms / 1'000);
}

instant read_clocks() {
  return {steady_ms(), now_ms()};
}

}  // namespace

struct edge_router::impl : edge_wire {
  struct inbox {
    std::vector<outgoing_frame> frames;
    std::vector<messages::presence_entry> presence;
    std::vector<messages::acked_notice> acked;
    std::vector<idle_session> idle;
    std::vector<messages::envelope> core;
    std::uint64_t notices_dropped = 0;
    bool core_up = false;
  };

  edge_config config;
  to_core_function core_link;
  // Order matters: sockets die before their context.
  zmq::context_t context{1};
  std::optional<zap_gate> gate;
  zmq::socket_t router;
  std::optional<socket_monitor> monitor;
  std::optional<edge_core> rules;
  session_host* host = nullptr;
  std::string endpoint;
  wakeup wake;
  std::atomic<bool> stopping{false};
  std::thread thread;
  std::mutex mutex;  // guards the inbox
  inbox waiting;

  impl(edge_config c, to_core_function f) : config(std::move(c)), core_link(std::move(f)) {}

  void open();
  void run();
  void wait();
  void take_monitor();
  bool take_frames();
  bool take_frame();
  bool take_inbox();

  bool send(const std::string& uuid, std::string_view frame) override;
  void shut(int descriptor) override { ::shutdown(descriptor, SHUT_RDWR); }
  std::uint64_t received(int descriptor) override;
  bool to_core(std::string sealed) override { return core_link(std::move(sealed)); }

  /// Puts something into the inbox; the poller is woken only when it was empty.
  template <class F>
  void post(F&& put) {
    bool first = false;
    {
      const std::lock_guard lock(mutex);
      first = empty();
      put(waiting);
    }
    if (first) {
      wake.ring();
    }
  }
  [[nodiscard]] bool empty() const {
    return waiting.frames.empty() && waiting.presence.empty() && waiting.acked.empty()
           && waiting.idle.empty() && waiting.core.empty() && waiting.notices_dropped == 0
           && !waiting.core_up;
  }
};

void edge_router::impl::open() {
  // libzmq takes the first routing id of peers without one from rand(): unseeded, it is the same in every process, and a peer
  // that claims the next one can abort us (building-blocks.md 0.1).
  std::srand(static_cast<unsigned>(random_u64()));
  context.set(zmq::ctxopt::max_sockets, sockets_max);
  gate.emplace(context, [this](const zap_request& r, std::int64_t) {
    return rules->authenticate(r.key, r.first, read_clocks());
  });
  router = zmq::socket_t(context, zmq::socket_type::router);
  router.set(zmq::sockopt::linger, 0);
  router.set(zmq::sockopt::router_mandatory, true);
  router.set(zmq::sockopt::router_handover, false);
  router.set(zmq::sockopt::curve_server, true);
  router.set(zmq::sockopt::curve_secretkey, config.secret_key);
  router.set(zmq::sockopt::zap_domain, std::string("overlay"));
  router.set(zmq::sockopt::handshake_ivl, handshake_ms);
  router.set(zmq::sockopt::backlog, backlog);
  router.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(frame_bytes_max));
  router.set(zmq::sockopt::rcvhwm, frames_waiting_max);
  router.set(zmq::sockopt::sndhwm, frames_queued_max);
  // The kernel watches the connections, not libzmq: its heartbeats cost a timer each, and it cancels a timer by walking
  // through all of them (ADR 43).
  const int answer_s = seconds(config.heartbeat_timeout_ms);
  router.set(zmq::sockopt::tcp_keepalive, 1);
  router.set(zmq::sockopt::tcp_keepalive_idle, seconds(config.heartbeat_ms));
  router.set(zmq::sockopt::tcp_keepalive_intvl, std::max(1, answer_s / keepalive_probes));
  router.set(zmq::sockopt::tcp_keepalive_cnt, keepalive_probes);
  router.set(zmq::sockopt::tcp_maxrt, config.heartbeat_ms + config.heartbeat_timeout_ms);
  monitor.emplace(context, router, "edge", ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED);
  router.bind(config.endpoint);
  endpoint = router.get(zmq::sockopt::last_endpoint);
}

bool edge_router::impl::send(const std::string& uuid, std::string_view frame) {
  try {
    return router.send(zmq::buffer(uuid), zmq::send_flags::sndmore | zmq::send_flags::dontwait)
           && router.send(zmq::buffer(frame), zmq::send_flags::dontwait);
  } catch (const zmq::error_t& e) {
    if (e.num() != EHOSTUNREACH) {
      log::error("a frame could not be sent", {{"error", e.what()}});
    }
    return false;
  }
}

std::uint64_t edge_router::impl::received(int descriptor) {
  tcp_info info{};
  socklen_t size = sizeof info;
  const bool known = ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0;
  return known ? info.tcpi_bytes_received : 0;
}

void edge_router::impl::take_monitor() {
  while (const auto e = monitor->next()) {
    const auto descriptor = static_cast<int>(e->value);
    if (e->event == ZMQ_EVENT_ACCEPTED) {
      rules->accepted(descriptor, read_clocks());
    } else if (e->event == ZMQ_EVENT_DISCONNECTED) {
      rules->closed(descriptor, read_clocks());
    }
  }
}

bool edge_router::impl::take_frame() {
  zmq::message_t route;
  if (!router.recv(route, zmq::recv_flags::dontwait)) {
    return false;
  }
  zmq::message_t payload;
  bool more = route.more() && router.recv(payload, zmq::recv_flags::dontwait).has_value();
  if (!more) {
    return true;
  }
  const bool single = !payload.more();
  for (more = payload.more(); more;) {
    zmq::message_t rest;
    more = router.recv(rest, zmq::recv_flags::dontwait).has_value() && rest.more();
  }
  rules->frame(
    {view(route),
     user_of(payload),
     descriptor_of(payload),
     address_of(payload),
     view(payload),
     single},
    read_clocks());
  return true;
}

bool edge_router::impl::take_frames() {
  for (int i = 0; i < frames_per_wake_max; ++i) {
    if (!take_frame()) {
      return false;
    }
  }
  return true;
}

bool edge_router::impl::take_inbox() {
  inbox in;
  {
    const std::lock_guard lock(mutex);
    if (empty()) {
      return false;
    }
    std::swap(in, waiting);
  }
  const auto now = read_clocks();
  if (in.core_up) {
    rules->core_up(endpoint, now);
  }
  for (const auto& e : in.core) {
    rules->core_message(e, now);
  }
  for (const auto& f : in.frames) {
    rules->send(f.connection, *f.frame);
  }
  for (const auto& i : in.idle) {
    host->idle(i.device, i.received);
  }
  rules->reports(std::move(in.presence), std::move(in.acked), in.notices_dropped, now);
  return true;
}

void edge_router::impl::wait() {
  zmq::pollitem_t items[] = {
    {monitor->socket().handle(), 0, ZMQ_POLLIN, 0},
    {gate->socket().handle(), 0, ZMQ_POLLIN, 0},
    {router.handle(), 0, ZMQ_POLLIN, 0},
    {nullptr, wake.fd(), ZMQ_POLLIN, 0}};
  zmq::poll(items, 4, std::chrono::milliseconds(tick_ms));
  if ((items[3].revents & ZMQ_POLLIN) != 0) {
    wake.clear();
  }
}

void edge_router::impl::run() {
  bool busy = false;
  while (!stopping) {
    if (!busy) {
      wait();
    }
    // Connections before frames: a frame is judged by the state of its connection.
    take_monitor();
    busy = take_frames();
    busy = take_inbox() || busy;
    gate->serve(steady_ms());
    rules->tick(read_clocks());
  }
  rules->drain(read_clocks());
  std::this_thread::sleep_for(std::chrono::milliseconds(drain_ms));
}

edge_router::edge_router(edge_config config, to_core_function to_core)
  : impl_(std::make_unique<impl>(std::move(config), std::move(to_core))) {}

edge_router::~edge_router() {
  stop();
}

messages::result<void> edge_router::start(session_host& host) {
  SLIPWAY_ASSERT(!impl_->thread.joinable());
  const auto own = curve_public_of(impl_->config.secret_key);
  if (!own || *own != impl_->config.public_key) {
    return messages::fail(messages::errc::invalid_argument, "the edge's key pair is not one");
  }
  impl_->host = &host;
  impl_->rules.emplace(impl_->config, *impl_, host, read_clocks());
  try {
    impl_->open();
  } catch (const zmq::error_t& e) {
    return messages::fail(messages::errc::unavailable, impl_->config.endpoint + ": " + e.what());
  }
  impl_->thread = std::thread([i = impl_.get()] { i->run(); });
  return {};
}

std::string edge_router::endpoint() const {
  return impl_->endpoint;
}

std::uint64_t edge_router::epoch_start() const {
  return impl_->rules->epoch_start();
}

void edge_router::stop() {
  if (impl_->thread.joinable()) {
    impl_->stopping = true;
    impl_->wake.ring();
    impl_->thread.join();
  }
}

void edge_router::deliver(messages::envelope e) {
  impl_->post([&](impl::inbox& in) { in.core.push_back(std::move(e)); });
}

void edge_router::core_up() {
  impl_->post([](impl::inbox& in) { in.core_up = true; });
}

void edge_router::send(std::uint64_t connection, shared_frame frame) {
  impl_->post([&](impl::inbox& in) { in.frames.push_back({connection, std::move(frame)}); });
}

void edge_router::presence(messages::presence_entry entry) {
  impl_->post([&](impl::inbox& in) { in.presence.push_back(std::move(entry)); });
}

void edge_router::acked(messages::acked_notice notice) {
  impl_->post([&](impl::inbox& in) { in.acked.push_back(notice); });
}

void edge_router::notices_dropped(std::uint64_t count) {
  impl_->post([&](impl::inbox& in) { in.notices_dropped += count; });
}

void edge_router::idle(std::int64_t device, std::uint64_t received) {
  impl_->post([&](impl::inbox& in) { in.idle.push_back({device, received}); });
}

}  // namespace slipway::runtime
