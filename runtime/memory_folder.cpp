#include "runtime/memory_folder.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace slipway::runtime {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

bool in_memory(const fs::path& folder) {
  struct statfs about {};
  return ::statfs(folder.c_str(), &about) == 0
         && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

/// Everybody may write to some places: a link or a folder of somebody else is not followed.
void remove_ours(const fs::path& path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode) && about.st_uid == ::geteuid()) {
    std::error_code ignored;  // then it cannot be made anew either
    fs::remove_all(path, ignored);
  }
}

}  // namespace

std::vector<fs::path> memory_folders() {
  return {"/run", "/dev/shm"};
}

result<fs::path> make_memory_folder(
  const std::vector<fs::path>& places,
  const std::string& name,
  const fs::path& otherwise) {
  for (const auto& place : places) {
    remove_ours(place / name);
  }
  remove_ours(otherwise / name);
  for (const auto& place : places) {
    if (in_memory(place) && ::mkdir((place / name).c_str(), S_IRWXU) == 0) {
      return place / name;
    }
  }
  if (::mkdir((otherwise / name).c_str(), S_IRWXU) != 0) {
    return fail(errc::io_failed, (otherwise / name).string() + ": " + std::strerror(errno));
  }
  return otherwise / name;
}

}  // namespace slipway::runtime
