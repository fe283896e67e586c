#include "agent/overlay_link.hpp"

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/zmq_support.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

namespace slipway::agent {
namespace {

using messages::bye_reason;
using messages::message_type;
using runtime::steady_ms;

constexpr std::size_t frame_bytes_max = 64U * 1024;  // larger ones end the connection
constexpr std::size_t notices_known_max =
  256;  // for telling repeats; past it the oldest is forgotten
constexpr int frames_per_wake_max = 64;
constexpr std::size_t answers_waiting_max = 64;
constexpr int revoked_pause_ms = 60'000;
constexpr std::uint32_t keepalive_ms_min = 200;  // whatever the edge says

int random_between(int low, int high) {
  return low + static_cast<int>(runtime::random_u64() % static_cast<std::uint64_t>(high - low + 1));
}

/// Notices already given to the callback, so that a repeat is not given again.
class known_notices {
public:
  enum class state { unseen, delivered, acked };
  [[nodiscard]] state look(std::uint64_t id) const {
    if (acked_.contains(id)) {
      return state::acked;
    }
    return seen_.contains(id) ? state::delivered : state::unseen;
  }
  void delivered(std::uint64_t id) {
    if (seen_.insert(id).second) {
      order_.push_back(id);
    }
    if (order_.size() > notices_known_max) {
      seen_.erase(order_.front());
      acked_.erase(order_.front());
      order_.pop_front();
    }
  }
  void acked(std::uint64_t id) {
    if (seen_.contains(id)) {
      acked_.insert(id);
    }
    last_ = std::max(last_, id);
  }
  [[nodiscard]] std::uint64_t last_acked() const { return last_; }

private:
  std::set<std::uint64_t> seen_;
  std::set<std::uint64_t> acked_;
  std::deque<std::uint64_t> order_;
  std::uint64_t last_ = 0;
};

}  // namespace

struct overlay_link::impl {
  enum class phase { connecting, greeting, connected };

  link_options options;
  link_callbacks callbacks;
  zmq::context_t context{1};
  runtime::wakeup wake;
  std::thread thread;
  std::atomic<bool> stopping{false};

  mutable std::mutex mutex;  // guards the next three
  link_status shown;
  std::vector<std::uint64_t> to_ack;
  std::vector<std::pair<std::uint64_t, messages::call_answer>> to_answer;  // with their epoch

  // The thread's own.
  known_notices notices;
  phase now_in = phase::connecting;
  std::int64_t deadline = 0;  // of the phase; while connected, of the pong or 0
  std::int64_t ping_at = 0;
  std::uint32_t keepalive_ms = 0;
  std::uint64_t sequence = 0;
  std::uint64_t session = 0;  // epoch of this connection, 0 before its welcome
  int pause_ms = 0;
  int pause_ms_least = 0;  // asked for by the edge's bye
  bool tcp_seen = false;
  std::string failure;  // set = this attempt is over

  impl(link_options o, link_callbacks c) : options(std::move(o)), callbacks(std::move(c)) {}

  void run();
  void attempt();
  void configure(zmq::socket_t& socket) const;
  void take_event(const runtime::monitor_event& e, zmq::socket_t& socket);
  void take_frames(zmq::socket_t& socket);
  void take(const messages::envelope& e, zmq::socket_t& socket);
  void take_welcome(const messages::welcome& w, zmq::socket_t& socket);
  void take_notice(const messages::notice& n);
  void take_bye(const messages::bye& b, zmq::socket_t& socket);
  void take_time(zmq::socket_t& socket);
  void send_acks(zmq::socket_t& socket);
  void send_answers(zmq::socket_t& socket);
  void say_hello(zmq::socket_t& socket);
  [[nodiscard]] int wait_ms() const;
  void pause();
  void show(link_state state, const std::string& reason);

  template <class T>
  void send(zmq::socket_t& socket, const T& x) {
    const auto frame = messages::seal(x, ++sequence, runtime::now_ms());
    if (!socket.send(zmq::buffer(frame), zmq::send_flags::dontwait)) {
      failure = "the connection takes no more messages";
    }
  }
};

void overlay_link::impl::show(link_state state, const std::string& reason) {
  const std::lock_guard lock(mutex);
  if (shown.state != state) {
    shown.since_ms = runtime::now_ms();
  }
  shown.state = state;
  shown.reason = reason;
}

void overlay_link::impl::configure(zmq::socket_t& socket) const {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::routing_id, options.uuid);
  socket.set(zmq::sockopt::curve_serverkey, options.server_key);
  socket.set(zmq::sockopt::curve_publickey, options.keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
  // One socket lives for one connection: after a failure a new one is made, so that no message of the last connection and no
  // claim on its routing id is left over. IMMEDIATE and PROBE_ROUTER make the edge see us at once (ADR 41).
  socket.set(zmq::sockopt::immediate, true);
  socket.set(zmq::sockopt::probe_router, true);
  socket.set(zmq::sockopt::reconnect_ivl, 3'600'000);
  socket.set(zmq::sockopt::handshake_ivl, options.connect_timeout_ms);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(frame_bytes_max));
}

void overlay_link::impl::say_hello(zmq::socket_t& socket) {
  send(
    socket,
    messages::hello{
      options.uuid,
      options.agent_version,
      notices.last_acked(),
      options.keepalive_ms,
      callbacks.on_call ? messages::capability::calls : 0});
  if (now_in != phase::connected) {
    now_in = phase::greeting;
  }
  deadline = steady_ms() + options.welcome_timeout_ms;
}

void overlay_link::impl::take_event(const runtime::monitor_event& e, zmq::socket_t& socket) {
  switch (e.event) {
    case ZMQ_EVENT_CONNECTED:
      tcp_seen = true;
      break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      say_hello(socket);
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      failure = "the server refuses this device's key";
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      failure = "the handshake failed: not a Slipway edge, or not the one whose key is pinned";
      break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_DISCONNECTED:
      if (failure.empty()) {
        failure = now_in == phase::connecting
                    ? "the server closed the connection during the handshake: busy, or its key "
                      "is not the pinned one"
                    : "the connection was lost";
      }
      break;
    case ZMQ_EVENT_CLOSED:
    case ZMQ_EVENT_CONNECT_RETRIED:
      if (failure.empty() && !tcp_seen) {
        failure = e.event == ZMQ_EVENT_CLOSED
                    ? "no TCP connection to " + options.endpoint + ": refused or unreachable"
                    : "cannot resolve or reach " + options.endpoint;
      }
      break;
    default:
      break;
  }
}

void overlay_link::impl::take_welcome(const messages::welcome& w, zmq::socket_t& socket) {
  const bool first = now_in != phase::connected;
  now_in = phase::connected;
  deadline = 0;
  session = w.epoch;
  keepalive_ms = std::max(w.keepalive_ms, keepalive_ms_min);
  ping_at = steady_ms() + keepalive_ms;
  {
    const std::lock_guard lock(mutex);
    shown.epoch = w.epoch;
    shown.server_time_offset_ms = w.time_ms - runtime::now_ms();
  }
  show(link_state::connected, "");
  send_acks(socket);
  if (first && callbacks.on_connected) {
    callbacks.on_connected(w);
  }
}

void overlay_link::impl::take_notice(const messages::notice& n) {
  const auto known = notices.look(n.id);
  if (known == known_notices::state::acked) {
    // Our acknowledgement was lost with a connection.
    const std::lock_guard lock(mutex);
    to_ack.push_back(n.id);
    return;
  }
  std::int64_t server_now = runtime::now_ms();
  {
    const std::lock_guard lock(mutex);
    server_now += shown.server_time_offset_ms;
  }
  const bool expired = n.expires != 0 && n.expires <= server_now;
  if (known == known_notices::state::delivered || expired) {
    return;
  }
  notices.delivered(n.id);
  if (callbacks.on_notice) {
    callbacks.on_notice(n);
  }
}

void overlay_link::impl::take_bye(const messages::bye& b, zmq::socket_t& socket) {
  switch (b.reason) {
    case bye_reason::hello_first:
      say_hello(socket);
      return;
    case bye_reason::revoked:
      pause_ms_least = revoked_pause_ms;
      failure = "this device's key was revoked";
      break;
    case bye_reason::draining:
      failure = "the edge is stopping";
      break;
    default:
      failure = "the edge ended the session: " + b.detail.substr(0, 200);
  }
}

void overlay_link::impl::take(const messages::envelope& e, zmq::socket_t& socket) {
  // What does not decode, or is unknown, is skipped: a newer edge may say more than we understand.
  switch (e.type) {
    case message_type::welcome:
      if (const auto w = messages::open<messages::welcome>(e)) {
        take_welcome(*w, socket);
      }
      break;
    case message_type::pong:
      deadline = now_in == phase::connected ? 0 : deadline;
      break;
    case message_type::notice:
      if (const auto n = messages::open<messages::notice>(e)) {
        take_notice(*n);
      }
      break;
    case message_type::call:
      if (auto c = messages::open<messages::call>(e); c && callbacks.on_call) {
        callbacks.on_call(session, std::move(*c));
      }
      break;
    case message_type::bye:
      if (const auto b = messages::open<messages::bye>(e)) {
        take_bye(*b, socket);
      }
      break;
    default:
      break;
  }
}

void overlay_link::impl::take_frames(zmq::socket_t& socket) {
  zmq::message_t frame;
  for (int i = 0; i < frames_per_wake_max && failure.empty(); ++i) {
    if (!socket.recv(frame, zmq::recv_flags::dontwait)) {
      return;
    }
    if (const auto e = messages::unpack<messages::envelope>(runtime::view(frame))) {
      take(*e, socket);
    }
  }
}

void overlay_link::impl::send_acks(zmq::socket_t& socket) {
  messages::notice_ack ack;
  {
    const std::lock_guard lock(mutex);
    ack.ids.swap(to_ack);
  }
  if (ack.ids.empty()) {
    return;
  }
  for (const auto id : ack.ids) {
    notices.acked(id);
  }
  send(socket, ack);
}

/// An answer of an earlier session is dropped: nobody waits for it any more.
void overlay_link::impl::send_answers(zmq::socket_t& socket) {
  std::vector<std::pair<std::uint64_t, messages::call_answer>> answers;
  {
    const std::lock_guard lock(mutex);
    answers.swap(to_answer);
  }
  for (const auto& [epoch, answer] : answers) {
    if (epoch == session && session != 0) {
      send(socket, answer);
    }
  }
}

void overlay_link::impl::take_time(zmq::socket_t& socket) {
  const auto now = steady_ms();
  if (deadline != 0 && now >= deadline) {
    failure = now_in == phase::connecting ? "no answer from the server in time"
              : now_in == phase::greeting ? "the edge does not answer hello"
                                          : "the edge does not answer pings";
    return;
  }
  if (now_in == phase::connected) {
    if (now >= ping_at) {
      send(socket, messages::ping{sequence});
      ping_at = now + keepalive_ms;
      deadline = deadline != 0 ? deadline : now + options.welcome_timeout_ms;
    }
    send_acks(socket);
    send_answers(socket);
  }
}

int overlay_link::impl::wait_ms() const {
  auto until = deadline;
  if (now_in == phase::connected && (until == 0 || ping_at < until)) {
    until = ping_at;
  }
  return static_cast<int>(std::clamp<std::int64_t>(until - steady_ms(), 0, 60'000));
}

void overlay_link::impl::attempt() {
  now_in = phase::connecting;
  session = 0;
  tcp_seen = false;
  deadline = steady_ms() + options.connect_timeout_ms;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  configure(socket);
  runtime::socket_monitor monitor(context, socket, "link", ZMQ_EVENT_ALL);
  socket.connect(options.endpoint);
  zmq::pollitem_t items[] = {
    {monitor.socket().handle(), 0, ZMQ_POLLIN, 0},
    {socket.handle(), 0, ZMQ_POLLIN, 0},
    {nullptr, wake.fd(), ZMQ_POLLIN, 0}};
  while (!stopping && failure.empty()) {
    zmq::poll(items, 3, std::chrono::milliseconds(wait_ms()));
    wake.clear();
    // Frames first: a bye tells more than the disconnect behind it.
    take_frames(socket);
    while (const auto e = monitor.next()) {
      take_event(*e, socket);
    }
    if (failure.empty()) {
      take_time(socket);
    }
  }
}

void overlay_link::impl::pause() {
  const int base = std::max(pause_ms, pause_ms_least);
  const auto until = steady_ms() + random_between(base / 2, base);
  pause_ms = std::min(pause_ms * 2, options.reconnect_ms_max);
  while (!stopping && steady_ms() < until) {
    zmq::pollitem_t item{nullptr, wake.fd(), ZMQ_POLLIN, 0};
    zmq::poll(&item, 1, std::chrono::milliseconds(until - steady_ms()));
    wake.clear();
  }
}

void overlay_link::impl::run() {
  pause_ms = options.reconnect_ms_min;
  while (!stopping) {
    failure.clear();
    pause_ms_least = 0;
    try {
      attempt();
    } catch (const zmq::error_t& e) {
      failure = e.what();
    }
    if (stopping) {
      break;
    }
    show(link_state::connecting, failure);
    if (now_in == phase::connected) {
      pause_ms = options.reconnect_ms_min;
      if (callbacks.on_disconnected) {
        callbacks.on_disconnected(failure);
      }
    }
    pause();
  }
  show(link_state::stopped, "");
}

overlay_link::overlay_link(link_options options, link_callbacks callbacks)
  : impl_(std::make_unique<impl>(std::move(options), std::move(callbacks))) {}

overlay_link::~overlay_link() {
  stop();
}

messages::result<void> overlay_link::start() {
  SLIPWAY_ASSERT(!impl_->thread.joinable());
  const auto& o = impl_->options;
  if (!runtime::is_curve_key(o.server_key)) {
    return messages::fail(messages::errc::invalid_argument, "overlay server key is not a key");
  }
  const auto own = runtime::curve_public_of(o.keys.secret_key);
  if (!own || *own != o.keys.public_key) {
    return messages::fail(messages::errc::invalid_argument, "the device's key pair is not one");
  }
  if (o.uuid.empty() || o.uuid.size() > 64 || !o.endpoint.starts_with("tcp://")) {
    return messages::fail(messages::errc::invalid_argument, "overlay endpoint or uuid malformed");
  }
  SLIPWAY_ASSERT(o.reconnect_ms_min > 0 && o.reconnect_ms_max >= o.reconnect_ms_min);
  impl_->show(link_state::connecting, "not connected yet");
  impl_->thread = std::thread([this] { impl_->run(); });
  return {};
}

void overlay_link::ack(std::uint64_t notice_id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->to_ack.push_back(notice_id);
  }
  impl_->wake.ring();
}

void overlay_link::answer(std::uint64_t epoch, messages::call_answer answer) {
  {
    const std::lock_guard lock(impl_->mutex);
    // The edge has few calls in flight; more answers than that were not asked for.
    if (impl_->to_answer.size() >= answers_waiting_max) {
      impl_->to_answer.erase(impl_->to_answer.begin());
    }
    impl_->to_answer.emplace_back(epoch, std::move(answer));
  }
  impl_->wake.ring();
}

link_status overlay_link::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->shown;
}

void overlay_link::stop() {
  if (impl_->thread.joinable()) {
    impl_->stopping = true;
    impl_->wake.ring();
    impl_->thread.join();
  }
}

}  // namespace slipway::agent
