#include "fanout_shared.hpp"
#include "messages/overlay.hpp"

#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.hpp>

#include <memory>

namespace slipway::bench {
namespace {

/// Full libzmq DEALERs, as devices use them; two descriptors each.
class clients {
public:
  clients(contest& c, const std::vector<bench_device>& devices, int first, int last)
    : contest_(c), devices_(devices), next_(first), first_(first), last_(last) {
    context_.set(zmq::ctxopt::max_sockets, 65'535);
    sessions_.resize(static_cast<std::size_t>(last - first));
  }
  ~clients() { ::close(epoll_); }

  void run() {
    std::array<epoll_event, 512> ready{};
    while (contest_.go != 2) {
      while (next_ < last_ && open_ < handshakes_at_once) {
        connect(next_++);
      }
      ping_some();
      const int n = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 100);
      for (int i = 0; i < n; ++i) {
        serve(static_cast<int>(ready[static_cast<std::size_t>(i)].data.u32));
      }
    }
  }

private:
  struct session {
    std::unique_ptr<zmq::socket_t> socket;
    bool opened = false;   ///< was welcomed once
    bool greeted = false;  ///< is welcome now, as far as it knows
  };

  session& at(int number) { return sessions_[static_cast<std::size_t>(number - first_)]; }

  /// A DEALER connects again by itself and tells nobody. The edge answers a ping on the new connection with `hello_first`,
  /// and the session says hello again; without that it would be mute for ever.
  void ping_some() {
    const auto due = (now_ns() - began_) / 1'000'000 * (last_ - first_) / ping_every_ms;
    for (; pinged_ < due; ++pinged_) {
      const int number = first_ + static_cast<int>(pinged_ % (last_ - first_));
      if (at(number).opened) {
        send(number, messages::ping{static_cast<std::uint64_t>(pinged_)});
        serve(number);
      }
    }
  }

  void connect(int number) {
    const auto& d = devices_[static_cast<std::size_t>(number)];
    auto s = std::make_unique<zmq::socket_t>(context_, zmq::socket_type::dealer);
    s->set(zmq::sockopt::linger, 0);
    s->set(zmq::sockopt::routing_id, d.uuid);
    s->set(zmq::sockopt::curve_serverkey, std::string(contest_.server_key.data()));
    s->set(zmq::sockopt::curve_publickey, d.keys.public_key);
    s->set(zmq::sockopt::curve_secretkey, d.keys.secret_key);
    s->set(zmq::sockopt::handshake_ivl, 60'000);
    s->connect("tcp://127.0.0.1:" + std::to_string(contest_.port));
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u32 = static_cast<std::uint32_t>(number);
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, s->get(zmq::sockopt::fd), &e);
    at(number).socket = std::move(s);
    ++open_;
    say_hello(number);
    serve(number);  // the descriptor tells of a change only once: look after each use
  }

  void say_hello(int number) {
    const auto& d = devices_[static_cast<std::size_t>(number)];
    send(number, messages::hello{d.uuid, "bench", 0, ping_every_ms, messages::capability::calls});
  }

  template <class T>
  void send(int number, const T& x) {
    const auto frame = messages::seal(x, 1, 0);
    at(number).socket->send(zmq::buffer(frame), zmq::send_flags::dontwait);
  }

  void serve(int number) {
    auto& s = *at(number).socket;
    zmq::message_t frame;
    while ((s.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) {
      if (!s.recv(frame, zmq::recv_flags::dontwait)) {
        continue;
      }
      const auto when = now_ns();
      const auto e = messages::unpack<messages::envelope>(
        {static_cast<const char*>(frame.data()), frame.size()});
      if (e) {
        take(number, *e, when);
      } else {
        ++contest_.failed;
      }
    }
  }

  void take(int number, const messages::envelope& e, std::int64_t when) {
    switch (e.type) {
      case messages::message_type::welcome:
        welcome(number, when);
        break;
      case messages::message_type::notice:
        contest_.told(number, when);
        send(number, messages::notice_ack{{e.id}});
        break;
      case messages::message_type::call:
        send(number, messages::call_answer{e.id, 200, "text/plain", "OK"});
        break;
      case messages::message_type::bye:
        bye(number, e);
        break;
      case messages::message_type::pong:
        break;
      default:
        ++contest_.failed;
    }
  }

  void welcome(int number, std::int64_t when) {
    auto& s = at(number);
    contest_.connected += s.greeted ? 0 : 1;
    s.greeted = true;
    if (s.opened) {
      // A device that was away fetches its target state when it is back: that is how it is told.
      ++contest_.rejoined;
      contest_.told(number, when);
      return;
    }
    s.opened = true;
    --open_;
  }

  void bye(int number, const messages::envelope& e) {
    auto& s = at(number);
    contest_.connected -= s.greeted ? 1 : 0;
    s.greeted = false;
    const auto b = messages::open<messages::bye>(e);
    if (b && b->reason == messages::bye_reason::hello_first) {
      say_hello(number);
    }
  }

  contest& contest_;
  const std::vector<bench_device>& devices_;
  zmq::context_t context_{1};
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<session> sessions_;
  std::int64_t began_ = now_ns();
  std::int64_t pinged_ = 0;
  int next_;
  int first_;
  int last_;
  int open_ = 0;
};

}  // namespace

void run_overlay_clients(
  contest& c,
  const std::vector<bench_device>& devices,
  int first,
  int last) {
  clients(c, devices, first, last).run();
}

}  // namespace slipway::bench
