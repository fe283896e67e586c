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
    sockets_.resize(static_cast<std::size_t>(last - first));
  }
  ~clients() { ::close(epoll_); }

  void run() {
    std::array<epoll_event, 512> ready{};
    while (contest_.go != 2) {
      while (next_ < last_ && open_ < handshakes_at_once) {
        connect(next_++);
      }
      const int n = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 100);
      for (int i = 0; i < n; ++i) {
        serve(static_cast<int>(ready[static_cast<std::size_t>(i)].data.u32));
      }
    }
  }

private:
  zmq::socket_t& socket(int session) {
    return *sockets_[static_cast<std::size_t>(session - first_)];
  }

  void connect(int session) {
    const auto& d = devices_[static_cast<std::size_t>(session)];
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
    e.data.u32 = static_cast<std::uint32_t>(session);
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, s->get(zmq::sockopt::fd), &e);
    sockets_[static_cast<std::size_t>(session - first_)] = std::move(s);
    ++open_;
    send(session, messages::hello{d.uuid, "bench", 0, 0});
    serve(session);  // the descriptor tells of a change only once: look after each use
  }

  template <class T>
  void send(int session, const T& x) {
    const auto frame = messages::seal(x, 1, 0);
    socket(session).send(zmq::buffer(frame), zmq::send_flags::dontwait);
  }

  void serve(int session) {
    auto& s = socket(session);
    zmq::message_t frame;
    while ((s.get(zmq::sockopt::events) & ZMQ_POLLIN) != 0) {
      if (!s.recv(frame, zmq::recv_flags::dontwait)) {
        continue;
      }
      const auto at = now_ns();
      const auto e = messages::unpack<messages::envelope>(
        {static_cast<const char*>(frame.data()), frame.size()});
      if (e && e->type == messages::message_type::welcome) {
        --open_;
        ++contest_.connected;
      } else if (e && e->type == messages::message_type::notice) {
        contest_.at[static_cast<std::size_t>(session)] = at;
        ++contest_.received;
        send(session, messages::notice_ack{{e->id}});
      } else {
        ++contest_.failed;
      }
    }
  }

  contest& contest_;
  const std::vector<bench_device>& devices_;
  zmq::context_t context_{1};
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<zmq::socket_t>> sockets_;
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
