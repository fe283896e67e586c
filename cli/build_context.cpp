#include "cli/build_context.hpp"

#include "cli/settings.hpp"
#include "domain/dockerignore.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace slipway::cli {

using messages::errc;
using messages::fail;
namespace fs = std::filesystem;

namespace {

struct free_archive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct free_entry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

messages::error archive_error(archive* a, const std::string& path) {
  const char* text = archive_error_string(a);
  return {
    archive_errno(a) == ENOSPC ? errc::disk_full : errc::io_failed,
    path + ": " + (text != nullptr ? text : "cannot be packed")};
}

/// Relative paths of what goes along, parents before children, always in the same order.
void collect(
  const fs::path& folder,
  const std::string& below,
  const domain::dockerignore& rules,
  const std::string& dockerfile,
  std::vector<std::string>& out) {
  std::vector<fs::directory_entry> entries;
  for (const auto& entry : fs::directory_iterator(folder / below)) {
    entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const auto name = entry.path().filename().string();
    const auto path = below.empty() ? name : below + "/" + name;
    if (path == ".git") {
      continue;
    }
    const bool needed =
      path == dockerfile || path == ".dockerignore" || dockerfile.starts_with(path + "/");
    const bool excluded = !needed && rules.excludes(path);
    if (!excluded) {
      out.push_back(path);
    }
    const bool is_folder = entry.is_directory() && !entry.is_symlink();
    if (is_folder && (!excluded || !rules.may_skip_folders())) {
      collect(folder, path, rules, dockerfile, out);
    }
  }
}

class packer {
public:
  explicit packer(int descriptor) : archive_(archive_write_new()) {
    archive_write_set_format_pax_restricted(archive_.get());
    archive_write_open_fd(archive_.get(), descriptor);
  }

  messages::result<void> add(const fs::path& folder, const std::string& path) {
    const auto full = (folder / path).string();
    struct stat s {};
    if (::lstat(full.c_str(), &s) != 0) {
      return fail(errc::io_failed, full + ": " + std::strerror(errno));
    }
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode) && !S_ISLNK(s.st_mode)) {
      return {};  // sockets, pipes and devices mean nothing in a build
    }
    const std::unique_ptr<archive_entry, free_entry> entry(archive_entry_new());
    archive_entry_copy_stat(entry.get(), &s);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_uid(entry.get(), 0);
    archive_entry_set_gid(entry.get(), 0);
    archive_entry_set_nlink(entry.get(), 1);
    if (S_ISLNK(s.st_mode)) {
      std::error_code broken;
      archive_entry_set_symlink(entry.get(), fs::read_symlink(full, broken).c_str());
    }
    if (archive_write_header(archive_.get(), entry.get()) < ARCHIVE_WARN) {
      return tl::unexpected(archive_error(archive_.get(), full));
    }
    return S_ISREG(s.st_mode) ? content(full) : messages::result<void>{};
  }

  messages::result<void> finish() {
    if (archive_write_close(archive_.get()) != ARCHIVE_OK) {
      return tl::unexpected(archive_error(archive_.get(), "the build context"));
    }
    return {};
  }

private:
  messages::result<void> content(const std::string& path) {
    const int from = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from < 0) {
      return fail(errc::io_failed, path + ": " + std::strerror(errno));
    }
    messages::result<void> done;
    std::array<char, 65536> buffer{};
    ssize_t n = 0;
    while ((n = ::read(from, buffer.data(), buffer.size())) > 0) {
      if (archive_write_data(archive_.get(), buffer.data(), static_cast<std::size_t>(n)) < 0) {
        done = tl::unexpected(archive_error(archive_.get(), path));
        break;
      }
    }
    if (n < 0) {
      done = fail(errc::io_failed, path + ": " + std::strerror(errno));
    }
    ::close(from);
    return done;
  }

  std::unique_ptr<archive, free_archive> archive_;
};

}  // namespace

messages::result<build_context> build_context::pack(
  const fs::path& folder,
  const std::string& dockerfile,
  const std::string& temp_folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return fail(errc::not_found, folder.string() + " is not a folder");
  }
  if (!fs::is_regular_file(folder / dockerfile, ignored)) {
    return fail(errc::not_found, (folder / dockerfile).string() + " does not exist");
  }
  const int descriptor = ::open(temp_folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return fail(errc::io_failed, temp_folder + ": " + std::strerror(errno));
  }
  build_context context(descriptor);

  domain::dockerignore rules;
  if (fs::exists(folder / ".dockerignore", ignored)) {
    const auto text = read_small_file((folder / ".dockerignore").string());
    if (!text) {
      return tl::unexpected(text.error());
    }
    rules = domain::dockerignore(*text);
  }
  try {
    std::vector<std::string> paths;
    collect(folder, "", rules, fs::path(dockerfile).lexically_normal().string(), paths);
    packer tar(descriptor);
    for (const auto& path : paths) {
      if (auto added = tar.add(folder, path); !added) {
        return tl::unexpected(added.error());
      }
    }
    if (auto finished = tar.finish(); !finished) {
      return tl::unexpected(finished.error());
    }
    context.files_ = paths.size();
  } catch (const fs::filesystem_error& e) {
    return fail(errc::io_failed, e.what());
  }
  context.bytes_ = ::lseek(descriptor, 0, SEEK_END);
  ::lseek(descriptor, 0, SEEK_SET);
  return context;
}

build_context::build_context(build_context&& other) noexcept
  : descriptor_(std::exchange(other.descriptor_, -1)), files_(other.files_), bytes_(other.bytes_) {}

build_context::~build_context() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

std::ptrdiff_t build_context::read(char* to, std::size_t size) {
  ssize_t n = 0;
  do {
    n = ::read(descriptor_, to, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace slipway::cli
