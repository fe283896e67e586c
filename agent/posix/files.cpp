#include "agent/posix/files.hpp"

#include "runtime/failpoint.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace slipway::agent {
namespace {

using messages::errc;
using messages::fail;

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_;
};

tl::unexpected<messages::error> problem(const std::string& path) {
  const int e = errno;
  const auto code = e == ENOENT ? errc::not_found : e == ENOSPC ? errc::disk_full : errc::io_failed;
  return fail(code, path + ": " + std::strerror(e));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) {
      return false;
    }
    bytes.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  return true;
}

mode_t mode_for(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? s.st_mode & 0777U : 0600U;
}

}  // namespace

messages::result<std::string> posix_files::read(const std::string& name) {
  const auto path = (folder_ / name).string();
  const descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) {
    return problem(path);
  }
  std::string out;
  char buffer[16'384];
  while (true) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return problem(path);
    }
    if (n == 0) {
      return out;
    }
    out.append(buffer, static_cast<std::size_t>(n));
    if (out.size() > state_file_bytes_max) {
      return fail(errc::too_large, path);
    }
  }
}

messages::result<void> posix_files::write(const std::string& name, std::string_view bytes) {
  const auto path = (folder_ / name).string();
  const auto aside = path + ".new";
  {
    const auto mode = mode_for(path);
    const descriptor fd(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (fd.get() < 0) {
      return problem(aside);
    }
    // File systems without modes refuse; they have nothing to keep.
    [[maybe_unused]] const int ignored = ::fchmod(fd.get(), mode);
    if (!write_all(fd.get(), bytes) || ::fsync(fd.get()) != 0) {
      return problem(aside);
    }
  }
  SLIPWAY_FAILPOINT("agent.store.written_aside");
  if (::rename(aside.c_str(), path.c_str()) != 0) {
    return problem(path);
  }
  const descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || (::fsync(folder.get()) != 0 && errno != EINVAL)) {
    return problem(folder_.string());
  }
  return {};
}

}  // namespace slipway::agent
