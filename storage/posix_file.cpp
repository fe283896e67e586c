#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace slipway::storage {

unique_fd& unique_fd::operator=(unique_fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

unique_fd::~unique_fd() {
  reset();
}

void unique_fd::reset() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

messages::error from_errno(std::string_view what, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  const char* text = std::strerror(number);
  return {
    full ? messages::errc::disk_full : messages::errc::io_failed,
    std::string(what) + ": " + (text != nullptr ? text : "unknown")};
}

messages::result<unique_fd> open_file(const std::string& path, int flags, int mode) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    const int number = errno;
    if (number == ENOENT) {
      return messages::fail(messages::errc::not_found, path + ": no such file");
    }
    return tl::unexpected(from_errno("open " + path, number));
  }
  return unique_fd(fd);
}

messages::result<void> write_at(int fd, std::uint64_t& offset, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return tl::unexpected(from_errno("write", n < 0 ? errno : ENOSPC));
    }
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

messages::result<void> sync_folder(const std::string& path) {
  auto folder = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!folder) {
    return tl::unexpected(folder.error());
  }
  if (::fsync(folder->get()) != 0) {
    return tl::unexpected(from_errno("sync " + path, errno));
  }
  return {};
}

messages::result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    const auto slash = path.find_last_of('/');
    return sync_folder(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
  }
  if (errno == EEXIST) {
    return {};
  }
  const auto slash = path.find_last_of('/');
  if (errno != ENOENT || slash == std::string::npos || slash == 0) {
    return tl::unexpected(from_errno("make folder " + path, errno));
  }
  if (auto parent = make_folder(path.substr(0, slash)); !parent) {
    return parent;
  }
  return make_folder(path);
}

}  // namespace slipway::storage
