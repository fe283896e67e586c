#pragma once

#include "messages/error.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace slipway::storage {

/// Owns a file descriptor.
class unique_fd {
public:
  unique_fd() = default;
  explicit unique_fd(int fd) : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept;
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd();

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  void reset();

private:
  int fd_ = -1;
};

/// errno as an error: no space, quota and file size limit are disk_full, everything else io_failed.
[[nodiscard]] messages::error from_errno(std::string_view what, int number);

[[nodiscard]] messages::result<unique_fd>
open_file(const std::string& path, int flags, int mode = 0);
/// Writes at `offset` and adds what arrived to `offset`, also when it fails half way.
[[nodiscard]] messages::result<void>
write_at(int fd, std::uint64_t& offset, std::span<const char> bytes);
/// Makes renames and new names in `path` durable.
[[nodiscard]] messages::result<void> sync_folder(const std::string& path);
/// Makes the folder and its parents; a new name is synced into its parent. Existing folders are fine.
[[nodiscard]] messages::result<void> make_folder(const std::string& path);

}  // namespace slipway::storage
