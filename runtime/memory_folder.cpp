#include "runtime/memory_folder.hpp"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <system_error>

namespace slipway::runtime {

namespace fs = std::filesystem;

namespace {

bool in_memory(const fs::path& folder) {
  struct statfs about {};
  return ::statfs(folder.c_str(), &about) == 0
         && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

/// Everybody may write to some places: a link or a folder of somebody else is not followed.
bool is_ours(const fs::path& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)
         && about.st_uid == ::geteuid();
}

void clear(const fs::path& place, const std::string& name) {
  std::error_code ignored;  // what cannot be read or removed stays
  std::vector<fs::path> left;
  for (const auto& e : fs::directory_iterator(place, ignored)) {
    if (e.path().filename().string().starts_with(name) && is_ours(e.path())) {
      left.push_back(e.path());
    }
  }
  for (const auto& path : left) {
    fs::remove_all(path, ignored);
  }
}

}  // namespace

std::vector<fs::path> memory_folders() {
  return {"/run", "/dev/shm"};
}

std::string memory_prefix(
  const std::vector<fs::path>& places,
  const std::string& name,
  const fs::path& otherwise) {
  clear(otherwise, name);
  fs::path chosen;
  for (const auto& place : places) {
    clear(place, name);
    if (chosen.empty() && in_memory(place) && ::access(place.c_str(), W_OK | X_OK) == 0) {
      chosen = place;
    }
  }
  return (chosen.empty() ? otherwise : chosen) / name;
}

}  // namespace slipway::runtime
