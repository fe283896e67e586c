#include "agent/posix/lock_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace slipway::agent {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

/// How a supervisor tells its own locks, also those that a crash left, from those of services (supervisor.md 7).
constexpr uid_t nobody = 65534;
constexpr std::array lock_names{"updates.lock", "resin-updates.lock"};
constexpr auto unfinished_name = ".slipway-lock";

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
  return fail(errc::io_failed, path + ": " + std::strerror(errno));
}

/// Whole from its first instant: a lock without its owner would be taken for a service's.
bool make_lock(int folder, const char* name, uid_t owner) {
  ::unlinkat(folder, unfinished_name, 0);
  const descriptor file(
    ::openat(folder, unfinished_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return false;
  }
  const bool owned = owner != nobody || ::fchown(file.get(), owner, owner) == 0;
  const bool made = owned && ::linkat(folder, unfinished_name, folder, name, 0) == 0;
  const int why = errno;
  ::unlinkat(folder, unfinished_name, 0);
  errno = why;
  return made;
}

}  // namespace

lock_files::lock_files(std::filesystem::path root)
  : root_(std::move(root)), owner_(::geteuid() == 0 ? nobody : ::geteuid()) {}

result<std::string> lock_files::prepare(std::int64_t app_id, const std::string& service) {
  const auto folder = root_ / std::to_string(app_id) / service;
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed || ::chmod(folder.c_str(), 01777) != 0) {
    return fail(errc::io_failed, folder.string() + ": cannot be made");
  }
  return folder.string();
}

result<void> lock_files::take_one(const std::string& folder, const char* name, bool force) {
  const descriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (at.get() < 0) {
    return problem(folder);
  }
  struct stat s {};
  if (::fstatat(at.get(), name, &s, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISREG(s.st_mode) && s.st_uid == owner_) {
      return {};  // ours, from before a crash
    }
    const bool removed =
      force && ::unlinkat(at.get(), name, S_ISDIR(s.st_mode) ? AT_REMOVEDIR : 0) == 0;
    if (!removed) {
      return fail(errc::locked, "locked");
    }
  } else if (errno != ENOENT) {
    return problem(folder);
  }
  if (make_lock(at.get(), name, owner_)) {
    return {};
  }
  return errno == EEXIST ? fail(errc::locked, "locked") : problem(folder);
}

result<void>
lock_files::take(std::int64_t app_id, const std::set<std::string>& services, bool force) {
  auto& taken = taken_[app_id];
  for (const auto& service : services) {
    const auto folder = prepare(app_id, service);
    result<void> got = folder ? result<void>() : tl::unexpected(folder.error());
    for (const char* name : lock_names) {
      got = got ? take_one(*folder, name, force) : got;
      if (got) {
        taken.push_back(*folder + "/" + name);
      }
    }
    if (!got) {
      release(app_id);
      return got.error().code == errc::locked
               ? fail(errc::locked, "Updates are locked by service " + service)
               : got;
    }
  }
  return {};
}

void lock_files::release(std::int64_t app_id) {
  const auto it = taken_.find(app_id);
  if (it == taken_.end()) {
    return;
  }
  for (const auto& path : it->second) {
    struct stat s {};
    if (::lstat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == owner_) {
      ::unlink(path.c_str());
    }
  }
  taken_.erase(it);
}

}  // namespace slipway::agent
