#include "tests/support/raw_socket.hpp"

#include "runtime/assert.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace slipway::test {

raw_socket raw_socket::connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(fd);
    return raw_socket(-1);
  }
  return raw_socket(fd);
}

bool raw_socket::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string raw_socket::read_some(int wait_ms) {
  if (!rest_.empty()) {
    return std::exchange(rest_, {});
  }
  pollfd p{fd_, POLLIN, 0};
  if (::poll(&p, 1, wait_ms) <= 0) {
    return {};
  }
  std::string out(64 * 1024, '\0');
  const auto n = ::recv(fd_, out.data(), out.size(), 0);
  out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return out;
}

std::string raw_socket::read_until(std::string_view mark, int wait_ms) {
  std::string got;
  for (;;) {
    if (const auto at = got.find(mark); at != std::string::npos) {
      rest_ = got.substr(at + mark.size());
      got.resize(at + mark.size());
      return got;
    }
    const auto more = read_some(wait_ms);
    if (more.empty()) {
      return got;
    }
    got += more;
  }
}

std::string raw_socket::read_exactly(std::size_t n, int wait_ms) {
  std::string got;
  while (got.size() < n) {
    const auto more = read_some(wait_ms);
    if (more.empty()) {
      return got;
    }
    got += more;
  }
  rest_ = got.substr(n);
  got.resize(n);
  return got;
}

std::string raw_socket::read_to_end(int wait_ms) {
  std::string got;
  for (;;) {
    const auto more = read_some(wait_ms);
    if (more.empty()) {
      return got;
    }
    got += more;
  }
}

bool raw_socket::closed_within(int wait_ms) {
  for (;;) {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, wait_ms) <= 0) {
      return false;
    }
    char sink[4096];
    if (::recv(fd_, sink, sizeof sink, 0) <= 0) {
      return true;
    }
  }
}

raw_socket::answer raw_socket::read_answer(bool head_only) {
  answer a;
  a.head = read_until("\r\n\r\n");
  if (a.head.starts_with("HTTP/1.") && a.head.size() > 12) {
    std::from_chars(a.head.data() + 9, a.head.data() + 12, a.status);
  }
  const auto at = a.head.find("Content-Length: ");
  if (at != std::string::npos && !head_only) {
    std::size_t n = 0;
    std::from_chars(a.head.data() + at + 16, a.head.data() + a.head.size(), n);
    a.body = read_exactly(n);
  }
  return a;
}

raw_server::raw_server(serve_function serve, const std::string& unix_path) {
  if (unix_path.empty()) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    SLIPWAY_ASSERT(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    socklen_t n = sizeof at;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &n);
    port_ = ntohs(at.sin_port);
  } else {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, unix_path.c_str(), sizeof at.sun_path - 1);
    SLIPWAY_ASSERT(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
  }
  SLIPWAY_ASSERT(::listen(fd_, 64) == 0 && ::pipe(stop_) == 0);
  acceptor_ = std::thread([this, serve = std::move(serve)] {
    for (;;) {
      pollfd p[2] = {{fd_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      ::poll(p, 2, -1);
      if (p[1].revents != 0) {
        return;
      }
      const int c = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (c < 0) {
        continue;
      }
      ++connections_;
      const std::scoped_lock lock(mutex_);
      // A duplicate, so that the destructor can end a connection whose thread waits in it.
      open_.push_back(::dup(c));
      threads_.emplace_back([serve, c] { serve(raw_socket(c)); });
    }
  });
}

raw_server::~raw_server() {
  [[maybe_unused]] const auto n = ::write(stop_[1], "x", 1);
  acceptor_.join();
  for (const int fd : open_) {
    ::shutdown(fd, SHUT_RDWR);
    ::close(fd);
  }
  for (auto& t : threads_) {
    t.join();
  }
  for (const int fd : {fd_, stop_[0], stop_[1]}) {
    ::close(fd);
  }
}

}  // namespace slipway::test
