#include "fanout_shared.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace slipway::bench {
namespace {

enum class phase { connecting, handshake, greeting, subscribing, ready };

struct subscriber {
  int fd = -1;
  SSL* ssl = nullptr;
  phase now = phase::connecting;
  std::string in;
};

/// The least that subscribes over TLS 1.3 with MQTT 3.1.1: non-blocking, one thread, lighter than our own side's clients.
class subscribers {
public:
  subscribers(contest& c, int first, int last)
    : contest_(c),
      next_(first),
      first_(first),
      last_(last),
      all_(static_cast<std::size_t>(last - first)) {
    SSL_CTX_set_min_proto_version(tls_, TLS1_3_VERSION);
    SSL_CTX_set_verify(tls_, SSL_VERIFY_NONE, nullptr);  // a certificate made for this run
  }

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
  subscriber& at(int session) { return all_[static_cast<std::size_t>(session - first_)]; }

  void connect(int session) {
    auto& s = at(session);
    s.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(contest_.port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (
      ::connect(s.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0
      && errno != EINPROGRESS) {
      ++contest_.failed;
      return;
    }
    s.ssl = SSL_new(tls_);
    SSL_set_fd(s.ssl, s.fd);
    SSL_set_connect_state(s.ssl);
    ++open_;
    watch(session, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
  }

  void watch(int session, int operation, std::uint32_t events) {
    epoll_event e{};
    e.events = events;
    e.data.u32 = static_cast<std::uint32_t>(session);
    ::epoll_ctl(epoll_, operation, at(session).fd, &e);
  }

  void fail(int session) {
    auto& s = at(session);
    open_ -= s.now == phase::ready ? 0 : 1;
    ++contest_.failed;
    SSL_free(s.ssl);
    ::close(s.fd);
    s = {};
  }

  void write(subscriber& s, const std::string& packet) {
    SSL_write(s.ssl, packet.data(), static_cast<int>(packet.size()));
  }

  void serve(int session) {
    auto& s = at(session);
    if (s.ssl == nullptr) {
      return;
    }
    if (s.now == phase::connecting || s.now == phase::handshake) {
      s.now = phase::handshake;
      const int r = SSL_do_handshake(s.ssl);
      if (r != 1) {
        const int e = SSL_get_error(s.ssl, r);
        if (e == SSL_ERROR_WANT_READ) {
          watch(session, EPOLL_CTL_MOD, EPOLLIN);
        } else if (e != SSL_ERROR_WANT_WRITE) {
          fail(session);
        }
        return;
      }
      watch(session, EPOLL_CTL_MOD, EPOLLIN);
      s.now = phase::greeting;
      const auto id = "b" + std::to_string(session);
      std::string body("\0\4MQTT\4\2\0\0\0", 11);  // clean session, no keep-alive
      body += static_cast<char>(id.size());
      body += id;
      write(s, std::string("\x10") + static_cast<char>(body.size()) + body);
    }
    read(session);
  }

  void read(int session) {
    auto& s = at(session);
    std::array<char, 4096> buffer{};
    while (true) {
      const int n = SSL_read(s.ssl, buffer.data(), static_cast<int>(buffer.size()));
      if (n <= 0) {
        if (SSL_get_error(s.ssl, n) != SSL_ERROR_WANT_READ) {
          fail(session);
          return;
        }
        break;
      }
      s.in.append(buffer.data(), static_cast<std::size_t>(n));
    }
    while (take_packet(session)) {
    }
  }

  bool take_packet(int session) {
    auto& s = at(session);
    std::size_t length = 0;
    std::size_t used = 1;
    for (int shift = 0;; shift += 7) {
      if (s.in.size() <= used) {
        return false;
      }
      const auto b = static_cast<unsigned char>(s.in[used++]);
      length |= static_cast<std::size_t>(b & 0x7fU) << static_cast<unsigned>(shift);
      if ((b & 0x80U) == 0) {
        break;
      }
    }
    if (s.in.size() < used + length) {
      return false;
    }
    const auto kind = static_cast<unsigned char>(s.in[0]) >> 4U;
    s.in.erase(0, used + length);
    if (kind == 2) {  // CONNACK
      s.now = phase::subscribing;
      write(s, std::string("\x82\x08\0\1\0\3fan\0", 10));
    } else if (kind == 9) {  // SUBACK
      s.now = phase::ready;
      --open_;
      ++contest_.connected;
    } else if (kind == 3) {  // PUBLISH
      contest_.told(session, now_ns());
    }
    return true;
  }

  contest& contest_;
  SSL_CTX* tls_ = SSL_CTX_new(TLS_client_method());
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  int next_;
  int first_;
  int last_;
  int open_ = 0;
  std::vector<subscriber> all_;
};

}  // namespace

void run_mqtt_clients(contest& c, int first, int last) {
  subscribers(c, first, last).run();
}

}  // namespace slipway::bench
