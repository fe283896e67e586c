#include "gateways/git/commit_tar.hpp"

#include "gateways/git/library.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace slipway::gateways::git {

using messages::errc;
using messages::error;
using messages::fail;
using messages::result;

namespace {

constexpr std::size_t step_bytes = 64 * 1024;
constexpr std::size_t lfs_pointer_bytes_max = 1024;
constexpr std::size_t lfs_names_max = 10;
constexpr std::string_view lfs_first_line = "version https://git-lfs.github.com/spec/v1\n";

struct free_archive {
  void operator()(archive* a) const { archive_write_free(a); }
};
struct free_entry {
  void operator()(archive_entry* e) const { archive_entry_free(e); }
};

la_ssize_t take_bytes(archive*, void* user, const void* bytes, std::size_t n) {
  static_cast<std::string*>(user)->append(static_cast<const char*>(bytes), n);
  return static_cast<la_ssize_t>(n);
}

/// A folder on the way, and what of it comes next.
struct level {
  tree_handle tree;
  std::string path;  ///< with its slash; "" = the root
  std::size_t next = 0;
};

class tar final : public commit_tar {
public:
  explicit tar(options o) : o_(std::move(o)), archive_(archive_write_new()) {
    archive_write_set_format_pax_restricted(archive_.get());
    archive_write_set_bytes_per_block(archive_.get(), 0);
    archive_write_open(archive_.get(), &pending_, nullptr, take_bytes, nullptr);
  }

  result<void> start();
  std::ptrdiff_t read(char* out, std::size_t n) override;
  const std::optional<error>& failure() const override { return failure_; }
  const std::string& commit() const override { return commit_; }

private:
  result<void> advance();
  result<void> add(const level& in, const git_tree_entry* e);
  result<void> enter(const git_oid* id, std::string path);
  result<void> add_blob(const git_tree_entry* e, const std::string& path, git_filemode_t mode);
  result<void>
  begin_entry(const std::string& path, unsigned kind, int permissions, std::int64_t size);
  bool is_lfs_pointer(const std::string& path);
  result<void> finish();

  options o_;
  repository_handle repository_;
  odb_handle objects_;
  std::string commit_;
  std::int64_t time_ = 0;
  std::vector<level> levels_;
  odb_object_handle file_;  ///< the one that is being written
  std::size_t file_at_ = 0;
  std::string pending_;  ///< bytes of the tar that nobody has read yet
  std::size_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::size_t lfs_count_ = 0;
  std::string lfs_names_;
  bool over_ = false;
  std::optional<error> failure_;
  // Last: closing it writes into `pending_`.
  std::unique_ptr<archive, free_archive> archive_;
};

result<void> tar::start() {
  auto opened = open_repository(o_.repository);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  repository_ = std::move(*opened);
  git_odb* objects = nullptr;
  if (git_repository_odb(&objects, repository_.get()) != 0) {
    return tl::unexpected(library_error("objects"));
  }
  objects_.reset(objects);
  if (!o_.quarantine.empty() && git_odb_add_disk_alternate(objects, o_.quarantine.c_str()) != 0) {
    return tl::unexpected(library_error("objects of the push"));
  }
  git_object* found = nullptr;
  if (git_revparse_single(&found, repository_.get(), o_.commit.c_str()) != 0) {
    return fail(errc::not_found, "there is no object " + o_.commit);
  }
  const object_handle named(found);
  git_object* peeled = nullptr;
  if (git_object_peel(&peeled, named.get(), GIT_OBJECT_COMMIT) != 0) {
    return fail(errc::invalid_argument, o_.commit + " is not a commit");
  }
  const object_handle owned(peeled);
  const auto* commit = reinterpret_cast<const git_commit*>(peeled);
  char hex[GIT_OID_HEXSZ + 1] = {};
  git_oid_tostr(hex, sizeof hex, git_commit_id(commit));
  commit_ = hex;
  time_ = git_commit_time(commit);
  return enter(git_commit_tree_id(commit), "");
}

result<void> tar::enter(const git_oid* id, std::string path) {
  if (levels_.size() >= o_.limits.depth_max) {
    return fail(
      errc::too_large,
      path + ": folders are more than " + std::to_string(o_.limits.depth_max) + " deep");
  }
  git_tree* tree = nullptr;
  if (git_tree_lookup(&tree, repository_.get(), id) != 0) {
    auto e = library_error(path.empty() ? "the commit's tree" : path);
    e.code = errc::corrupt;
    return tl::unexpected(std::move(e));
  }
  levels_.push_back({tree_handle(tree), std::move(path)});
  return {};
}

result<void>
tar::begin_entry(const std::string& path, unsigned kind, int permissions, std::int64_t size) {
  const std::unique_ptr<archive_entry, free_entry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), path.c_str());
  archive_entry_set_filetype(entry.get(), kind);
  archive_entry_set_perm(entry.get(), static_cast<mode_t>(permissions));
  archive_entry_set_mtime(entry.get(), time_, 0);
  archive_entry_set_size(entry.get(), size);
  if (kind == AE_IFLNK) {
    const auto* bytes = static_cast<const char*>(git_odb_object_data(file_.get()));
    const std::string target(bytes, git_odb_object_size(file_.get()));
    archive_entry_set_symlink(entry.get(), target.c_str());
  }
  // What it only warns of are names that are not text here: their bytes go along as they are.
  if (archive_write_header(archive_.get(), entry.get()) < ARCHIVE_WARN) {
    const char* why = archive_error_string(archive_.get());
    return fail(errc::corrupt, path + ": " + (why != nullptr ? why : "cannot be packed"));
  }
  return {};
}

bool tar::is_lfs_pointer(const std::string& path) {
  const auto size = git_odb_object_size(file_.get());
  const std::string_view text(static_cast<const char*>(git_odb_object_data(file_.get())), size);
  if (size > lfs_pointer_bytes_max || !text.starts_with(lfs_first_line)) {
    return false;
  }
  if (++lfs_count_ <= lfs_names_max) {
    lfs_names_ += (lfs_names_.empty() ? "" : ", ") + path;
  }
  return true;
}

result<void> tar::add_blob(const git_tree_entry* e, const std::string& path, git_filemode_t mode) {
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_ANY;
  if (git_odb_read_header(&size, &type, objects_.get(), git_tree_entry_id(e)) != 0) {
    auto failed = library_error(path);
    failed.code = errc::corrupt;
    return tl::unexpected(std::move(failed));
  }
  if (size > o_.limits.file_bytes_max) {
    return fail(
      errc::too_large,
      path + ": " + std::to_string(size) + " bytes; a file may have "
        + std::to_string(o_.limits.file_bytes_max));
  }
  bytes_ += size;
  if (bytes_ > o_.limits.bytes_max) {
    return fail(
      errc::too_large,
      "the source is larger than " + std::to_string(o_.limits.bytes_max) + " bytes");
  }
  // Once one file is in Git LFS nothing is sent any more: only the others are looked for.
  if (lfs_count_ > 0 && size > lfs_pointer_bytes_max) {
    return {};
  }
  git_odb_object* object = nullptr;
  if (git_odb_read(&object, objects_.get(), git_tree_entry_id(e)) != 0) {
    auto failed = library_error(path);
    failed.code = errc::corrupt;
    return tl::unexpected(std::move(failed));
  }
  file_.reset(object);
  file_at_ = 0;
  if (mode == GIT_FILEMODE_LINK) {
    auto linked = begin_entry(path, AE_IFLNK, 0777, 0);
    file_.reset();
    return linked;
  }
  if (is_lfs_pointer(path) || lfs_count_ > 0) {
    file_.reset();
    return {};
  }
  const int permissions = mode == GIT_FILEMODE_BLOB_EXECUTABLE ? 0755 : 0644;
  return begin_entry(path, AE_IFREG, permissions, static_cast<std::int64_t>(size));
}

result<void> tar::add(const level& in, const git_tree_entry* e) {
  auto path = in.path + git_tree_entry_name(e);
  if (++entries_ > o_.limits.entries_max) {
    return fail(
      errc::too_large,
      "the source has more than " + std::to_string(o_.limits.entries_max) + " files and folders");
  }
  if (path.size() > o_.limits.path_bytes_max) {
    return fail(
      errc::too_large,
      "a path is longer than " + std::to_string(o_.limits.path_bytes_max) + " bytes: " + path);
  }
  const auto mode = git_tree_entry_filemode(e);
  switch (mode) {
    case GIT_FILEMODE_TREE: {
      auto begun = begin_entry(path + "/", AE_IFDIR, 0755, 0);
      return begun ? enter(git_tree_entry_id(e), path + "/") : begun;
    }
    case GIT_FILEMODE_COMMIT:
      if (o_.warn) {
        o_.warn("submodule " + path + " is not part of the push: its folder is empty in the build");
      }
      return begin_entry(path + "/", AE_IFDIR, 0755, 0);
    default:
      return add_blob(e, path, mode);
  }
}

result<void> tar::finish() {
  if (lfs_count_ > 0) {
    const auto more = lfs_count_ > lfs_names_max
                        ? " and " + std::to_string(lfs_count_ - lfs_names_max) + " more"
                        : "";
    return fail(
      errc::unsupported,
      "Git LFS is not supported; these files are only pointers to it: " + lfs_names_ + more);
  }
  archive_write_close(archive_.get());
  over_ = true;
  return {};
}

/// Puts some more bytes into `pending_`, or comes to the end.
result<void> tar::advance() {
  if (file_) {
    const auto size = git_odb_object_size(file_.get());
    const auto n = std::min(step_bytes, size - file_at_);
    const auto* bytes = static_cast<const char*>(git_odb_object_data(file_.get()));
    archive_write_data(archive_.get(), bytes + file_at_, n);
    file_at_ += n;
    if (file_at_ == size) {
      archive_write_finish_entry(archive_.get());
      file_.reset();
    }
    return {};
  }
  if (levels_.empty()) {
    return finish();
  }
  auto& in = levels_.back();
  const auto* e = git_tree_entry_byindex(in.tree.get(), in.next++);
  if (e == nullptr) {
    levels_.pop_back();
    return {};
  }
  return add(in, e);
}

std::ptrdiff_t tar::read(char* out, std::size_t n) {
  while (!failure_ && !over_ && pending_.size() < n) {
    if (auto ok = advance(); !ok) {
      failure_ = ok.error();
    }
    if (lfs_count_ > 0) {
      pending_.clear();
    }
  }
  if (failure_) {
    return -1;
  }
  n = std::min(n, pending_.size());
  std::memcpy(out, pending_.data(), n);
  pending_.erase(0, n);
  return static_cast<std::ptrdiff_t>(n);
}

}  // namespace

result<std::unique_ptr<commit_tar>> commit_tar::open(options o) {
  auto made = std::make_unique<tar>(std::move(o));
  if (auto ok = made->start(); !ok) {
    return tl::unexpected(ok.error());
  }
  return made;
}

}  // namespace slipway::gateways::git
