#include "gateways/git/repositories.hpp"

#include "gateways/git/head.hpp"
#include "gateways/git/library.hpp"
#include "runtime/crypto.hpp"
#include "runtime/log.hpp"
#include "storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>

namespace slipway::gateways::git {

namespace fs = std::filesystem;
using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::string_view suffix = ".git";
/// Of folders that are being made or taken away; a dot keeps them out of lists.
constexpr std::string_view passing = ".passing-";
/// As git-receive-pack names what it has not accepted yet.
constexpr std::string_view half_received = "tmp_objdir-incoming-";
/// No ref ends with it. A git that is not asked first leaves its own, and nobody can move that ref any more.
constexpr std::string_view lock_suffix = ".lock";

/// The hook has git's limit of memory. What a sanitizer sets aside would be more than that.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* hook_begins = "#!/bin/sh\nulimit -S -d unlimited\n";
#else
constexpr const char* hook_begins = "#!/bin/sh\n";
#endif

result<void> write_hook(const std::string& folder, const char* name) {
  const auto text =
    std::string(hook_begins) + "exec \"$SLIPWAY_HOOK_PROGRAM\" git-hook " + name + "\n";
  const auto path = folder + "/" + name;
  const auto passing_path = path + ".new";
  auto file = storage::open_file(passing_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  if (!file) {
    return tl::unexpected(file.error());
  }
  std::uint64_t at = 0;
  if (auto ok = storage::write_at(file->get(), at, text); !ok) {
    return ok;
  }
  if (::rename(passing_path.c_str(), path.c_str()) != 0) {
    return tl::unexpected(storage::from_errno(path, errno));
  }
  return {};
}

/// The library syncs little of what it makes, and a repository without its HEAD is none.
result<void> sync_tree(const std::string& path) {
  std::error_code failed;
  for (fs::recursive_directory_iterator it(path, failed), end; !failed && it != end;
       it.increment(failed)) {
    const auto one = storage::open_file(it->path().string(), O_RDONLY | O_CLOEXEC);
    if (!one || ::fsync(one->get()) != 0) {
      return one ? tl::unexpected(storage::from_errno(path, errno)) : tl::unexpected(one.error());
    }
  }
  return failed ? fail(errc::io_failed, path + ": " + failed.message())
                : storage::sync_folder(path);
}

std::optional<std::int64_t> fleet_of(const std::string& name) {
  std::int64_t id = 0;
  const auto* end = name.data() + name.size() - std::min(name.size(), suffix.size());
  const auto read = std::from_chars(name.data(), end, id);
  const bool fits = name.ends_with(suffix) && read.ec == std::errc{} && read.ptr == end && id > 0;
  return fits ? std::optional(id) : std::nullopt;
}

void remove_tree(const fs::path& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (failed) {
    runtime::log::warn(
      "a folder could not be removed",
      {{"path", path.string()}, {"error", failed.message()}});
  }
}

bool is_lock(const fs::path& path) {
  return path.filename().string().ends_with(lock_suffix);
}

/// Removes what is chosen among the entries of one folder, or with a recursive iterator below it.
template <class Iterator, class Choose>
void remove_chosen(const fs::path& folder, Choose chosen) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (Iterator it(folder, failed); !failed && it != Iterator(); it.increment(failed)) {
    if (chosen(it->path())) {
      found.push_back(it->path());
    }
  }
  for (const auto& path : found) {
    remove_tree(path);
  }
}

}  // namespace

result<std::unique_ptr<repositories>> repositories::open(std::string folder) {
  std::unique_ptr<repositories> made(new repositories(std::move(folder)));
  if (auto ok = made->start(); !ok) {
    return tl::unexpected(ok.error());
  }
  return made;
}

result<void> repositories::start() {
  prepare_library();
  if (auto ok = storage::make_folder(hooks()); !ok) {
    return ok;
  }
  ::chmod(folder_.c_str(), 0700);
  for (const auto* name : {"pre-receive", "post-receive"}) {
    if (auto ok = write_hook(hooks(), name); !ok) {
      return ok;
    }
  }
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder_, failed)) {
    if (entry.path().filename().string().starts_with(passing)) {
      remove_tree(entry.path());
    }
  }
  // Nothing of an earlier life is running any more.
  for (const auto fleet : list()) {
    clear_left(fleet);
  }
  return {};
}

std::string repositories::path(std::int64_t fleet) const {
  return folder_ + "/" + std::to_string(fleet) + std::string(suffix);
}

result<void> repositories::make(std::int64_t fleet, const std::string& head) {
  const auto passing_path = folder_ + "/" + std::string(passing) + runtime::random_hex(16);
  git_repository_init_options o;
  git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
  o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKDIR | GIT_REPOSITORY_INIT_NO_REINIT;
  o.mode = 0700;
  o.initial_head = head.c_str();
  git_repository* made = nullptr;
  if (git_repository_init_ext(&made, passing_path.c_str(), &o) != 0) {
    remove_tree(passing_path);
    return tl::unexpected(library_error("a new repository"));
  }
  git_repository_free(made);
  if (auto ok = sync_tree(passing_path); !ok) {
    remove_tree(passing_path);
    return ok;
  }
  if (::rename(passing_path.c_str(), path(fleet).c_str()) != 0) {
    const auto e = storage::from_errno("a new repository", errno);
    remove_tree(passing_path);
    return tl::unexpected(e);
  }
  return storage::sync_folder(folder_);
}

result<void> repositories::prepare(std::int64_t fleet, std::span<const std::string> release_refs) {
  // HEAD has a lock of its own, which must not be taken for one that was left.
  const std::lock_guard lock(mutex_);
  std::error_code failed;
  if (!fs::exists(path(fleet), failed)) {
    return make(fleet, release_refs.front());
  }
  return point_head(path(fleet), release_refs);
}

result<std::optional<std::string>> repositories::ref_of(std::int64_t fleet, std::string_view ref)
  const {
  std::error_code failed;
  const bool there = fs::exists(path(fleet), failed);
  if (failed) {
    return fail(errc::io_failed, path(fleet) + ": " + failed.message());
  }
  if (!there) {
    return std::nullopt;
  }
  const auto opened = open_repository(path(fleet));
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  git_oid id;
  const int found = git_reference_name_to_id(&id, opened->get(), std::string(ref).c_str());
  if (found == GIT_ENOTFOUND || found == GIT_EINVALIDSPEC) {
    return std::nullopt;
  }
  if (found != 0) {
    return tl::unexpected(library_error(ref));
  }
  std::array<char, GIT_OID_HEXSZ + 1> hex{};
  git_oid_tostr(hex.data(), hex.size(), &id);
  return std::string(hex.data());
}

std::vector<std::int64_t> repositories::list() const {
  std::vector<std::int64_t> out;
  std::error_code failed;
  fs::directory_iterator it(folder_, failed);
  for (; !failed && it != fs::directory_iterator(); it.increment(failed)) {
    if (const auto id = fleet_of(it->path().filename().string())) {
      out.push_back(*id);
    }
  }
  return out;
}

void repositories::remove(std::int64_t fleet) {
  const auto passing_path = folder_ + "/" + std::string(passing) + runtime::random_hex(16);
  bool moved = false;
  {
    const std::lock_guard lock(mutex_);
    moved = ::rename(path(fleet).c_str(), passing_path.c_str()) == 0;
  }
  if (moved) {
    remove_tree(passing_path);
  }
}

void repositories::writing_began(std::int64_t fleet) {
  const std::lock_guard lock(mutex_);
  ++writers_[fleet];
}

void repositories::writing_ended(std::int64_t fleet) {
  const std::lock_guard lock(mutex_);
  if (--writers_[fleet] == 0) {
    writers_.erase(fleet);
    clear_left(fleet);
  }
}

void repositories::clear_left(std::int64_t fleet) const {
  const fs::path at = path(fleet);
  remove_chosen<fs::directory_iterator>(at / "objects", [](const fs::path& p) {
    return p.filename().string().starts_with(half_received);
  });
  remove_chosen<fs::recursive_directory_iterator>(at / "refs", is_lock);
  remove_chosen<fs::directory_iterator>(at, is_lock);
}

}  // namespace slipway::gateways::git
