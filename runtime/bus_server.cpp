#include "runtime/assert.hpp"
#include "runtime/bus.hpp"
#include "runtime/bus_queue.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"
#include "runtime/zap_gate.hpp"
#include "runtime/zmq_support.hpp"

#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>

namespace slipway::runtime {
namespace {

constexpr int frames_per_wake_max = 256;
constexpr int retry_ms = 10;
constexpr int idle_wait_ms = 1'000;
constexpr std::int64_t frame_bytes_max = 64 << 20;
constexpr std::size_t messages_per_frame_max = 4'096;

/// Shared by the bus thread and senders; its queue guards itself, the rest is the bus thread's.
struct peer {
  std::string name;
  bus_queue queue;
  std::string pending;
  int descriptor = -1;  // -1 = down
  std::atomic<bool> allowed{true};
  std::atomic<bool> cut{false};  // its connection has to go
};

}  // namespace

struct bus_server::impl {
  bus_server::options options;
  bus_server::callbacks callbacks;
  zmq::context_t context{1};
  std::optional<zap_gate> gate;
  zmq::socket_t router;
  std::optional<socket_monitor> monitor;
  std::string endpoint;
  wakeup wake;
  std::atomic<bool> stopping{false};
  std::thread thread;
  std::mutex mutex;                          // guards the two tables
  std::map<std::string, std::string> names;  // by key
  std::map<std::string, std::shared_ptr<peer>> peers;

  impl(bus_server::options o, bus_server::callbacks c)
    : options(std::move(o)), callbacks(std::move(c)) {}

  void open();
  void run();
  zap_verdict decide(const std::string& key);
  std::shared_ptr<peer> find(const std::string& name);
  std::vector<std::shared_ptr<peer>> all();
  void up(peer& p, int descriptor);
  void down(peer& p);
  void cut_peers();
  void take_events();
  void take_frames();
  void take(const std::string& route, zmq::message_t& payload);
  bool flush(peer& p);
};

zap_verdict bus_server::impl::decide(const std::string& key) {
  const std::lock_guard lock(mutex);
  const auto it = names.find(key);
  if (it == names.end()) {
    return {};
  }
  return {zap_verdict::kind::admit, it->second, 0};
}

std::shared_ptr<peer> bus_server::impl::find(const std::string& name) {
  const std::lock_guard lock(mutex);
  const auto it = peers.find(name);
  return it == peers.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<peer>> bus_server::impl::all() {
  const std::lock_guard lock(mutex);
  std::vector<std::shared_ptr<peer>> out;
  for (const auto& [name, p] : peers) {
    out.push_back(p);
  }
  return out;
}

void bus_server::impl::open() {
  // See edge_router.cpp: the first generated routing id must not be guessable.
  std::srand(static_cast<unsigned>(random_u64()));
  gate.emplace(context, [this](const zap_request& r, std::int64_t) { return decide(r.key); });
  router = zmq::socket_t(context, zmq::socket_type::router);
  router.set(zmq::sockopt::linger, 200);
  router.set(zmq::sockopt::router_mandatory, true);
  // Peers are our own processes: one that comes back takes its name over at once.
  router.set(zmq::sockopt::router_handover, true);
  router.set(zmq::sockopt::curve_server, true);
  router.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
  router.set(zmq::sockopt::zap_domain, std::string("bus"));
  router.set(zmq::sockopt::heartbeat_ivl, 2'000);
  router.set(zmq::sockopt::heartbeat_timeout, 6'000);
  router.set(zmq::sockopt::maxmsgsize, frame_bytes_max);
  monitor.emplace(context, router, "bus", ZMQ_EVENT_DISCONNECTED);
  router.bind(options.endpoint);
  endpoint = router.get(zmq::sockopt::last_endpoint);
}

void bus_server::impl::up(peer& p, int descriptor) {
  down(p);
  p.descriptor = descriptor;
  p.queue.open();
  if (callbacks.on_up) {
    callbacks.on_up(p.name);
  }
}

void bus_server::impl::down(peer& p) {
  if (p.descriptor < 0) {
    return;
  }
  p.descriptor = -1;
  p.queue.close();
  p.pending.clear();
  if (callbacks.on_down) {
    callbacks.on_down(p.name);
  }
}

void bus_server::impl::cut_peers() {
  for (const auto& p : all()) {
    if (p->cut.exchange(false) && p->descriptor >= 0) {
      log::info("a bus peer is let in no more: cut", {{"peer", p->name}});
      ::shutdown(p->descriptor, SHUT_RDWR);
      down(*p);
    }
  }
}

void bus_server::impl::take_events() {
  while (const auto e = monitor->next()) {
    for (const auto& p : all()) {
      if (p->descriptor == static_cast<int>(e->value)) {
        down(*p);
      }
    }
  }
}

void bus_server::impl::take(const std::string& route, zmq::message_t& payload) {
  const auto descriptor = descriptor_of(payload);
  const auto p = user_of(payload) == route ? find(route) : nullptr;
  if (p == nullptr || !p->allowed) {
    log::warn("a bus peer is not who it says: cut", {{"address", address_of(payload)}});
    ::shutdown(descriptor, SHUT_RDWR);
    return;
  }
  if (p->descriptor != descriptor) {
    up(*p, descriptor);
  }
  auto envelopes = messages::unpack_envelopes(view(payload), messages_per_frame_max);
  if (!envelopes) {
    log::warn(
      "a bus frame does not decode",
      {{"peer", route}, {"error", envelopes.error().detail}});
    return;
  }
  for (auto& e : *envelopes) {
    callbacks.on_message(route, std::move(e));
  }
}

void bus_server::impl::take_frames() {
  for (int i = 0; i < frames_per_wake_max; ++i) {
    zmq::message_t route;
    if (!router.recv(route, zmq::recv_flags::dontwait)) {
      return;
    }
    zmq::message_t payload;
    bool more = route.more() && router.recv(payload, zmq::recv_flags::dontwait).has_value();
    if (!more) {
      continue;
    }
    take(std::string(view(route)), payload);
    for (more = payload.more(); more;) {
      zmq::message_t rest;
      more = router.recv(rest, zmq::recv_flags::dontwait).has_value() && rest.more();
    }
  }
}

bool bus_server::impl::flush(peer& p) {
  while (p.descriptor >= 0) {
    if (p.pending.empty()) {
      p.pending = p.queue.next_frame();
    }
    if (p.pending.empty()) {
      return true;
    }
    try {
      // With ROUTER_MANDATORY the first part says whether the peer takes a message.
      if (!router.send(zmq::buffer(p.name), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) {
        return false;
      }
      (void)router.send(zmq::buffer(p.pending), zmq::send_flags::dontwait);
      p.pending.clear();
    } catch (const zmq::error_t&) {
      down(p);  // gone; its disconnect is on the way
    }
  }
  return true;
}

void bus_server::impl::run() {
  zmq::pollitem_t items[] = {
    {monitor->socket().handle(), 0, ZMQ_POLLIN, 0},
    {gate->socket().handle(), 0, ZMQ_POLLIN, 0},
    {router.handle(), 0, ZMQ_POLLIN, 0},
    {nullptr, wake.fd(), ZMQ_POLLIN, 0}};
  bool flushed = true;
  while (!stopping) {
    zmq::poll(items, 4, std::chrono::milliseconds(flushed ? idle_wait_ms : retry_ms));
    wake.clear();
    cut_peers();
    take_events();
    take_frames();
    gate->serve(steady_ms());
    flushed = true;
    for (const auto& p : all()) {
      flushed = flush(*p) && flushed;
    }
  }
}

bus_server::bus_server(options o, callbacks c)
  : impl_(std::make_unique<impl>(std::move(o), std::move(c))) {}

bus_server::~bus_server() {
  stop();
}

messages::result<void> bus_server::start() {
  SLIPWAY_ASSERT(!impl_->thread.joinable() && impl_->callbacks.on_message);
  if (!curve_public_of(impl_->options.keys.secret_key)) {
    return messages::fail(messages::errc::invalid_argument, "the bus key is not a key");
  }
  try {
    impl_->open();
  } catch (const zmq::error_t& e) {
    return messages::fail(messages::errc::unavailable, impl_->options.endpoint + ": " + e.what());
  }
  impl_->thread = std::thread([i = impl_.get()] { i->run(); });
  return {};
}

std::string bus_server::endpoint() const {
  return impl_->endpoint;
}

void bus_server::allow(const std::string& name, const std::string& public_key) {
  const std::lock_guard lock(impl_->mutex);
  const auto erased = std::erase_if(impl_->names, [&](const auto& entry) {
    return entry.second == name && entry.first != public_key;
  });
  impl_->names[public_key] = name;
  auto& p = impl_->peers[name];
  if (p == nullptr) {
    p = std::make_shared<peer>();
    p->name = name;
  }
  p->cut = p->cut || erased > 0;  // who holds the key before
  p->allowed = true;
  impl_->wake.ring();
}

void bus_server::forbid(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->names, [&](const auto& entry) { return entry.second == name; });
  if (const auto it = impl_->peers.find(name); it != impl_->peers.end()) {
    it->second->allowed = false;
    it->second->cut = true;
    impl_->wake.ring();
  }
}

bool bus_server::send(const std::string& name, std::string sealed) {
  const auto p = impl_->find(name);
  const bool taken = p != nullptr && p->queue.push(std::move(sealed));
  if (taken) {
    impl_->wake.ring();
  }
  return taken;
}

void bus_server::stop() {
  if (impl_->thread.joinable()) {
    impl_->stopping = true;
    impl_->wake.ring();
    impl_->thread.join();
  }
}

}  // namespace slipway::runtime
