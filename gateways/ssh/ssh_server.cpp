#include "gateways/ssh/ssh_server.hpp"

#include "gateways/ssh/host_keys.hpp"
#include "gateways/ssh/ssh_connection.hpp"
#include "gateways/ssh/user_keys.hpp"
#include "runtime/clock.hpp"
#include "runtime/log.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace slipway::gateways::ssh {

using messages::errc;
using messages::fail;
using messages::result;
using storage::unique_fd;

namespace {

constexpr int tick_ms = 1000;
constexpr int backlog = 64;
constexpr int pause_ms = 100;           // when descriptors have run out
constexpr int silence_ms_max = 60'000;  // bytes that nobody acknowledges
/// No SHA-1, nothing that is weaker than what users may register (domain/ssh_key.hpp).
constexpr const char* key_types =
  "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"
  "rsa-sha2-256,sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com";

result<unique_fd> listen_at(const std::string& address, std::uint16_t port) {
  const auto named = address + ":" + std::to_string(port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) {
    return fail(errc::unavailable, "ssh " + named + ": " + ::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  unique_fd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (
    !fd || ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0
    || ::listen(fd.get(), backlog) != 0) {
    return fail(errc::unavailable, "ssh " + named + ": " + std::strerror(errno));
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(
    bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

std::string text_of(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* bytes =
    peer.ss_family == AF_INET6
      ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(&peer)->sin6_addr)
      : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&peer)->sin_addr);
  return ::inet_ntop(peer.ss_family, bytes, text, sizeof text) != nullptr ? text : "";
}

/// A peer that vanished is noticed, and small answers leave at once.
void tune(int fd) {
  const int on = 1;
  const unsigned silence = silence_ms_max;
  (void)::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
}

class server final : public ssh_server {
public:
  explicit server(options o) : o_(std::move(o)), keys_(o_.store) {}
  ~server() override { end(); }

  result<void> bind();
  void start() override;
  void stop() override { end(); }
  std::uint16_t port() const override { return port_; }

private:
  struct client {
    std::string peer;
    unique_fd socket;                          ///< to cut it
    std::atomic<std::int64_t> deadline_ms{0};  ///< steady clock; 0 = none
    std::atomic<bool> over{false};
    std::thread thread;
  };

  void run();
  void accept_one();
  void admit(unique_fd socket, std::string peer);
  void look_after();
  void end();

  options o_;
  user_keys keys_;
  bind_handle bind_;
  unique_fd listener_;
  unique_fd wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::list<client> clients_;  ///< of the accepting thread alone
  std::thread thread_;
};

result<void> server::bind() {
  auto files = host_keys(o_.keys_folder);
  if (!files) {
    return tl::unexpected(files.error());
  }
  bind_.reset(ssh_bind_new());
  const bool no_files_of_the_machine = false;
  ssh_bind_options_set(bind_.get(), SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_files_of_the_machine);
  ssh_bind_options_set(bind_.get(), SSH_BIND_OPTIONS_BANNER, "slipway");
  ssh_bind_options_set(bind_.get(), SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES, key_types);
  for (const auto& file : *files) {
    ssh_key key = nullptr;
    if (ssh_pki_import_privkey_file(file.c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK) {
      return fail(
        errc::corrupt,
        file
          + ": is not a readable SSH host key: bring it back from a backup, or remove it, and a new one is made");
    }
    // The library owns it from here on.
    ssh_bind_options_set(bind_.get(), SSH_BIND_OPTIONS_IMPORT_KEY, key);
  }
  auto listener = listen_at(o_.address, o_.port);
  if (!listener) {
    return tl::unexpected(listener.error());
  }
  listener_ = std::move(*listener);
  port_ = port_of(listener_.get());
  return {};
}

void server::start() {
  thread_ = std::thread([this] { run(); });
}

void server::run() {
  while (!stopping_) {
    pollfd waits[2] = {{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    (void)::poll(waits, 2, tick_ms);
    if ((waits[0].revents & POLLIN) != 0) {
      accept_one();
    }
    look_after();
  }
  for (auto& c : clients_) {
    (void)::shutdown(c.socket.get(), SHUT_RDWR);
  }
  for (auto& c : clients_) {
    c.thread.join();
  }
  clients_.clear();
}

void server::accept_one() {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  unique_fd socket(
    ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
  if (!socket) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      runtime::log::warn("cannot accept an SSH connection", {{"what", std::strerror(errno)}});
      pollfd stopped{wake_.get(), POLLIN, 0};
      (void)::poll(&stopped, 1, pause_ms);
    }
    return;
  }
  auto peer = text_of(from);
  const auto same = static_cast<std::size_t>(
    std::count_if(clients_.begin(), clients_.end(), [&peer](const auto& c) {
      return c.peer == peer;
    }));
  if (clients_.size() >= o_.limits.connections_max || same >= o_.limits.connections_per_peer_max) {
    runtime::log::warn("too many SSH connections", {{"peer", peer}});
    return;
  }
  admit(std::move(socket), std::move(peer));
}

void server::admit(unique_fd socket, std::string peer) {
  tune(socket.get());
  session_handle session(ssh_new());
  const int copy = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3);
  if (!session || copy < 0) {
    return;
  }
  // The session owns the copy, whatever comes of it.
  if (ssh_bind_accept_fd(bind_.get(), session.get(), copy) != SSH_OK) {
    return;
  }
  auto& c = clients_.emplace_back();
  c.peer = std::move(peer);
  c.socket = std::move(socket);
  c.deadline_ms = runtime::steady_ms() + std::int64_t{o_.limits.login_seconds} * 1000;
  try {
    c.thread = std::thread([this, &c, s = std::move(session)]() mutable {
      ssh_connection(std::move(s), c.peer, o_, keys_, c.deadline_ms).run();
      c.over = true;
    });
  } catch (const std::system_error& e) {
    runtime::log::warn("no thread for an SSH connection", {{"what", e.what()}});
    clients_.pop_back();
  }
}

/// Cuts who is late and forgets who is gone.
void server::look_after() {
  const auto now = runtime::steady_ms();
  for (auto it = clients_.begin(); it != clients_.end();) {
    if (it->over) {
      it->thread.join();
      it = clients_.erase(it);
      continue;
    }
    const auto deadline = it->deadline_ms.load();
    if (deadline != 0 && now >= deadline) {
      (void)::shutdown(it->socket.get(), SHUT_RDWR);
    }
    ++it;
  }
}

void server::end() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) {
    thread_.join();
  }
}

}  // namespace

result<std::unique_ptr<ssh_server>> ssh_server::open(options o) {
  auto made = std::make_unique<server>(std::move(o));
  if (auto ok = made->bind(); !ok) {
    return tl::unexpected(ok.error());
  }
  return made;
}

}  // namespace slipway::gateways::ssh
