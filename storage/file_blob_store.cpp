#include "storage/file_blob_store.hpp"

#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"
#include "runtime/failpoint.hpp"
#include "storage/file_blob_writer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <iterator>

namespace slipway::storage {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

constexpr std::string_view put_prefix = "put-";

class file_reader final : public blob_reader {
public:
  file_reader(unique_fd fd, std::uint64_t size) : fd_(std::move(fd)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  int descriptor() const override { return fd_.get(); }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
    while (true) {
      const auto n = ::pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (n >= 0) {
        return static_cast<std::size_t>(n);
      }
      if (errno != EINTR) {
        return tl::unexpected(from_errno("read blob", errno));
      }
    }
  }

private:
  unique_fd fd_;
  std::uint64_t size_;
};

bool valid_upload(std::string_view id) {
  return id.size() == 32 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

class store final : public file_blob_store {
public:
  store(file_blob_options o, unique_fd lock)
    : options_(std::move(o)),
      lock_(std::move(lock)),
      shared_(std::make_shared<blob_folder>(options_.root, options_.hash_threads)) {}

  result<bool> exists(const digest& d) const override;
  result<std::unique_ptr<blob_reader>> open(const digest& d) const override;
  result<void> put(const digest& d, std::string_view bytes) override;
  result<void> remove(const digest& d) override;
  result<void> each(const std::function<bool(const digest&)>& visit) const override;
  result<std::vector<digest>> list(const digest& after, std::size_t count) const override;
  result<bool> quarantine(const digest& d, const blob_reader& read) override;
  result<std::unique_ptr<blob_writer>> begin(const std::string& upload) override;
  result<std::unique_ptr<blob_writer>> resume(const std::string& upload) override;
  std::size_t sweep() override { return sweep_older(options_.upload_idle_ms_max, false); }

  std::size_t sweep_older(std::int64_t age_ms, bool at_start);

private:
  result<std::unique_ptr<blob_writer>> writer(const std::string& upload, int flags);

  file_blob_options options_;
  unique_fd lock_;
  std::shared_ptr<blob_folder> shared_;
};

result<bool> store::exists(const digest& d) const {
  struct stat info {};
  if (::stat(shared_->blob_path(d).c_str(), &info) == 0) {
    return true;
  }
  if (errno == ENOENT) {
    return false;
  }
  return tl::unexpected(from_errno("look for blob", errno));
}

result<std::unique_ptr<blob_reader>> store::open(const digest& d) const {
  auto fd = open_file(shared_->blob_path(d), O_RDONLY);
  if (!fd) {
    return fd.error().code == errc::not_found ? fail(errc::blob_unknown, "no blob " + d.text)
                                              : tl::unexpected(fd.error());
  }
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0) {
    return tl::unexpected(from_errno("size of blob", errno));
  }
  return std::make_unique<file_reader>(std::move(*fd), static_cast<std::uint64_t>(info.st_size));
}

result<void> store::put(const digest& d, std::string_view bytes) {
  const auto path = shared_->upload_path(std::string(put_prefix) + runtime::random_hex(32));
  auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (!fd) {
    return tl::unexpected(fd.error());
  }
  std::uint64_t offset = 0;
  auto done = write_at(fd->get(), offset, bytes);
  if (done) {
    SLIPWAY_FAILPOINT("blob.put.written");
    done = shared_->check(fd->get(), bytes.size(), d);
  }
  if (done) {
    done = shared_->publish(fd->get(), path, d);
  }
  if (!done) {
    ::unlink(path.c_str());
  }
  return done;
}

result<void> store::remove(const digest& d) {
  if (::unlink(shared_->blob_path(d).c_str()) == 0) {
    return {};
  }
  return errno == ENOENT ? fail(errc::blob_unknown, "no blob " + d.text)
                         : tl::unexpected(from_errno("remove blob", errno));
}

/// Calls `visit` with the names in a folder, hidden ones left out; false when it stopped.
result<bool> each_name(const std::string& folder, const std::function<bool(std::string)>& visit) {
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) {
    return errno == ENOENT ? result<bool>(true)
                           : tl::unexpected(from_errno("list " + folder, errno));
  }
  bool more = true;
  while (const auto* entry = more ? ::readdir(open) : nullptr) {
    const std::string name = entry->d_name;
    more = name.starts_with('.') || visit(name);
  }
  ::closedir(open);
  return more;
}

result<void> store::each(const std::function<bool(const digest&)>& visit) const {
  for (const std::string algorithm : {"sha256", "sha512"}) {
    const auto folder = options_.root + "/blobs/" + algorithm;
    auto failed = result<bool>(true);
    const auto more = each_name(folder, [&](const std::string& shard) {
      failed = each_name(folder + "/" + shard, [&](const std::string& hex) {
        const auto d = parse_digest(algorithm + ":" + hex);
        return !d || visit(*d);  // what is no blob is not ours to tell of
      });
      return failed && *failed;
    });
    if (!more || !failed) {
      return tl::unexpected(!more ? more.error() : failed.error());
    }
    if (!*more) {
      return {};
    }
  }
  return {};
}

/// The digests in one folder, those after `after`, in order.
result<std::vector<digest>>
shard_digests(const std::string& algorithm, const std::string& folder, const digest& after) {
  std::vector<digest> out;
  const auto read = each_name(folder, [&](const std::string& hex) {
    auto d = parse_digest(algorithm + ":" + hex);
    if (d && *d > after) {
      out.push_back(std::move(*d));
    }
    return true;
  });
  std::sort(out.begin(), out.end());
  return read ? result<std::vector<digest>>(std::move(out)) : tl::unexpected(read.error());
}

result<std::vector<digest>> store::list(const digest& after, std::size_t count) const {
  std::vector<digest> out;
  for (const std::string algorithm : {"sha256", "sha512"}) {
    for (int i = 0; i < 256 && out.size() < count; ++i) {
      const auto shard = runtime::hex(std::string(1, static_cast<char>(i)));
      const auto prefix = algorithm + ":" + shard;
      if (prefix < std::string_view(after.text).substr(0, prefix.size())) {
        continue;
      }
      auto found =
        shard_digests(algorithm, options_.root + "/blobs/" + algorithm + "/" + shard, after);
      if (!found) {
        return found;
      }
      found->resize(std::min(found->size(), count - out.size()));
      std::move(found->begin(), found->end(), std::back_inserter(out));
    }
  }
  return out;
}

result<bool> store::quarantine(const digest& d, const blob_reader& read) {
  struct stat seen {};
  struct stat there {};
  const auto path = shared_->blob_path(d);
  if (::fstat(read.descriptor(), &seen) != 0 || ::stat(path.c_str(), &there) != 0) {
    return errno == ENOENT ? result<bool>(false)
                           : tl::unexpected(from_errno("look for blob", errno));
  }
  if (seen.st_ino != there.st_ino || seen.st_dev != there.st_dev) {
    return false;
  }
  const auto folder = options_.root + "/quarantine";
  if (auto made = make_folder(folder); !made) {
    return tl::unexpected(made.error());
  }
  auto name = d.text;
  std::replace(name.begin(), name.end(), ':', '-');
  const auto to = folder + "/" + name + "-" + std::to_string(runtime::now_ms());
  if (std::rename(path.c_str(), to.c_str()) != 0) {
    return tl::unexpected(from_errno("set blob aside", errno));
  }
  SLIPWAY_FAILPOINT("blob.quarantine.renamed");
  auto synced = sync_folder(folder);
  synced = synced ? sync_folder(shared_->blob_folder_of(d)) : synced;
  return synced ? result<bool>(true) : tl::unexpected(synced.error());
}

result<std::unique_ptr<blob_writer>> store::begin(const std::string& upload) {
  return writer(upload, O_CREAT | O_EXCL);
}

result<std::unique_ptr<blob_writer>> store::resume(const std::string& upload) {
  return writer(upload, 0);
}

result<std::unique_ptr<blob_writer>> store::writer(const std::string& upload, int flags) {
  if (!valid_upload(upload)) {
    return fail(errc::upload_unknown, "an upload id is 32 hex characters");
  }
  if (!shared_->claim(upload)) {
    return fail(errc::conflict, "upload " + upload + " has a writer");
  }
  auto fd = open_file(shared_->upload_path(upload), O_RDWR | flags, 0600);
  struct stat info {};
  if (fd && ::fstat(fd->get(), &info) == 0) {
    return make_file_writer(
      shared_,
      upload,
      std::move(*fd),
      static_cast<std::uint64_t>(info.st_size));
  }
  auto failed = fd ? from_errno("size of upload", errno) : fd.error();
  shared_->release(upload);
  return failed.code == errc::not_found ? fail(errc::upload_unknown, "no upload " + upload)
                                        : tl::unexpected(failed);
}

std::size_t store::sweep_older(std::int64_t age_ms, bool at_start) {
  DIR* folder = ::opendir(shared_->uploads().c_str());
  if (folder == nullptr) {
    return 0;
  }
  std::size_t gone = 0;
  const auto now = runtime::now_ms();
  while (const auto* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    const auto path = shared_->upload_path(name);
    struct stat info {};
    if (name.starts_with('.') || ::stat(path.c_str(), &info) != 0) {
      continue;
    }
    const bool is_put = name.starts_with(put_prefix);
    const bool old = now - std::int64_t{info.st_mtim.tv_sec} * 1000 > age_ms;
    if ((is_put && at_start) || (!is_put && old && shared_->claim(name))) {
      gone += ::unlink(path.c_str()) == 0 ? 1U : 0U;
      shared_->release(name);
    }
  }
  ::closedir(folder);
  return gone;
}

/// All 256 folders of an algorithm exist and are durable before the first blob: no upload has to think of them.
result<void> make_shards(const std::string& folder) {
  if (auto made = make_folder(folder); !made) {
    return made;
  }
  for (int i = 0; i < 256; ++i) {
    const auto shard = folder + "/" + runtime::hex(std::string(1, static_cast<char>(i)));
    if (::mkdir(shard.c_str(), 0700) != 0 && errno != EEXIST) {
      return tl::unexpected(from_errno("make folder " + shard, errno));
    }
  }
  return sync_folder(folder);
}

result<unique_fd> lock_folder(const std::string& root) {
  auto fd = open_file(root + "/lock", O_RDWR | O_CREAT, 0600);
  if (fd && ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(errc::unavailable, root + " is in use by another process");
  }
  return fd;
}

}  // namespace

result<std::unique_ptr<file_blob_store>> open_file_blobs(file_blob_options o) {
  // A file size limit must be an error of write(2), not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  auto ready = make_folder(o.root + "/uploads");
  for (const char* folder : {"/blobs/sha256", "/blobs/sha512"}) {
    ready = ready ? make_shards(o.root + folder) : ready;
  }
  if (!ready) {
    return tl::unexpected(messages::with_context("blob store", ready.error()));
  }
  auto lock = lock_folder(o.root);
  if (!lock) {
    return tl::unexpected(messages::with_context("blob store", lock.error()));
  }
  const auto age = o.upload_idle_ms_max;
  auto made = std::make_unique<store>(std::move(o), std::move(*lock));
  made->sweep_older(age, true);
  return made;
}

}  // namespace slipway::storage
