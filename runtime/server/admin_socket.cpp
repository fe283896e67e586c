#include "runtime/server/admin_socket.hpp"

#include "runtime/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr const char* socket_name = "admin.sock";
constexpr int request_seconds = 10;

/// A descriptor that closes itself.
class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

private:
  int fd_;
};

std::string why() {
  return std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): glibc's is
}

descriptor folder(const std::string& data_dir) {
  return descriptor(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/// An address of 108 bytes holds no long path, so the folder is named by its descriptor.
sockaddr_un address_in(const descriptor& dir) {
  sockaddr_un a{};
  a.sun_family = AF_UNIX;
  const auto path = "/proc/self/fd/" + std::to_string(dir.get()) + "/" + socket_name;
  path.copy(a.sun_path, sizeof a.sun_path - 1);
  return a;
}

void set_timeout(int fd, int seconds) {
  const timeval limit{seconds, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/// Up to the line's end.
result<std::string> read_line(int fd) {
  std::string line;
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail(errno == EAGAIN ? errc::timed_out : errc::io_failed, "the other side: " + why());
    }
    line.append(buffer.data(), static_cast<std::size_t>(n));
    const auto end = line.find('\n');
    if (end != std::string::npos) {
      line.resize(end);
      return line;
    }
    if (n == 0) {
      return fail(errc::io_failed, "the other side closed the connection");
    }
    if (line.size() > admin_message_bytes_max) {
      return fail(errc::too_large, "the message is too long");
    }
  }
}

bool write_line(int fd, const std::string& text) {
  const auto line = text + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const auto n = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

bool may_ask(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0
         && (peer.uid == ::geteuid() || peer.uid == 0);
}

}  // namespace

struct admin_socket::impl {
  std::string data_dir;
  descriptor dir, listening, stop;
  std::function<std::string(std::string)> handle;
  std::thread thread;

  void serve() const;
  void answer(int fd) const;
};

void admin_socket::impl::answer(int fd) const {
  set_timeout(fd, request_seconds);
  if (!may_ask(fd)) {
    log::warn("admin socket: refused a process of another user");
    return;
  }
  auto line = read_line(fd);
  if (line) {
    write_line(fd, handle(std::move(*line)));
  }
}

void admin_socket::impl::serve() const {
  std::array<pollfd, 2> on{pollfd{listening.get(), POLLIN, 0}, pollfd{stop.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(on.data(), on.size(), -1) < 0 && errno != EINTR) {
      return;
    }
    if ((on[1].revents & POLLIN) != 0) {
      return;
    }
    const descriptor one(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (one.ok()) {
      answer(one.get());
    }
  }
}

admin_socket::admin_socket(std::unique_ptr<impl> i) : impl_(std::move(i)) {}

result<std::unique_ptr<admin_socket>> admin_socket::open(
  const std::string& data_dir,
  std::function<std::string(std::string)> handle) {
  auto i = std::make_unique<impl>();
  i->data_dir = data_dir;
  i->handle = std::move(handle);
  i->dir = folder(data_dir);
  i->listening = descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  i->stop = descriptor(::eventfd(0, EFD_CLOEXEC));
  if (!i->dir.ok() || !i->listening.ok() || !i->stop.ok()) {
    return fail(errc::io_failed, "admin socket: " + why());
  }
  // One that a killed server left: the store's lock says that no other serves this folder.
  ::unlinkat(i->dir.get(), socket_name, 0);
  const auto address = address_in(i->dir);
  // Before it is bound: nobody else may connect even for a moment.
  ::fchmod(i->listening.get(), 0600);
  const bool listens =
    ::bind(i->listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
    && ::fchmodat(i->dir.get(), socket_name, 0600, 0) == 0 && ::listen(i->listening.get(), 8) == 0;
  if (!listens) {
    return fail(errc::io_failed, "admin socket in " + data_dir + ": " + why());
  }
  i->thread = std::thread([p = i.get()] { p->serve(); });
  return std::unique_ptr<admin_socket>(new admin_socket(std::move(i)));
}

admin_socket::~admin_socket() {
  const std::uint64_t one = 1;
  (void)!::write(impl_->stop.get(), &one, sizeof one);
  impl_->thread.join();
  ::unlinkat(impl_->dir.get(), socket_name, 0);
}

result<std::string> ask_admin_socket(const std::string& data_dir, const std::string& line) {
  const auto dir = folder(data_dir);
  if (!dir.ok()) {
    return fail(errc::io_failed, data_dir + ": " + why());
  }
  const descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_in(dir);
  if (
    !fd.ok()
    || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const bool none = errno == ENOENT || errno == ECONNREFUSED;
    return fail(none ? errc::unavailable : errc::io_failed, "admin socket: " + why());
  }
  set_timeout(fd.get(), admin_answer_seconds);
  if (!write_line(fd.get(), line)) {
    return fail(errc::io_failed, "the server does not take the command: " + why());
  }
  return read_line(fd.get());
}

}  // namespace slipway::runtime
