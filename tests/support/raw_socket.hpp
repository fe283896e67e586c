#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

/// Sockets without any HTTP library, so that a test can send and answer bytes that no library would.
namespace slipway::test {

/// One end of a connection; closes it at the end.
class raw_socket {
public:
  explicit raw_socket(int fd) : fd_(fd) {}
  raw_socket(raw_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), rest_(std::move(other.rest_)) {}
  raw_socket& operator=(raw_socket&&) = delete;
  raw_socket(const raw_socket&) = delete;
  ~raw_socket() { close(); }

  /// Connects to 127.0.0.1; fd() is -1 when refused.
  static raw_socket connect(std::uint16_t port);

  [[nodiscard]] int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) {
      ::shutdown(fd_, SHUT_RDWR);  // a raw_server holds a duplicate
      ::close(std::exchange(fd_, -1));
    }
  }
  /// False when the peer is gone.
  bool send(std::string_view bytes) const;
  /// Next bytes, "" at the end or after `wait_ms` without any.
  std::string read_some(int wait_ms = 20'000);
  /// Everything up to and with `mark`; what came before the end when it never comes.
  std::string read_until(std::string_view mark, int wait_ms = 20'000);
  std::string read_exactly(std::size_t n, int wait_ms = 20'000);
  std::string read_to_end(int wait_ms = 20'000);
  /// Whether the peer closes within `wait_ms`; reads and drops what comes before.
  bool closed_within(int wait_ms);
  /// Head and body of one answer that has a Content-Length.
  struct answer {
    std::string head;
    std::string body;
    int status = 0;
  };
  answer read_answer(bool head_only = false);

private:
  int fd_;
  std::string rest_;
};

/// Listens on a free port of 127.0.0.1 (or a unix socket) and runs `serve` on a thread per connection.
class raw_server {
public:
  using serve_function = std::function<void(raw_socket)>;
  explicit raw_server(serve_function serve, const std::string& unix_path = "");
  ~raw_server();
  raw_server(const raw_server&) = delete;
  raw_server& operator=(const raw_server&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  [[nodiscard]] int connections() const { return connections_; }

private:
  int fd_ = -1;
  int stop_[2] = {-1, -1};
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace slipway::test
