#include "storage/file_blob_writer.hpp"

#include "runtime/assert.hpp"
#include "runtime/failpoint.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

namespace slipway::storage {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

/// Dirty pages go to the disk while the rest is still received, so that the sync at the end has little left.
constexpr std::uint64_t writeback_bytes = std::uint64_t{8} * 1024 * 1024;

messages::error mismatch(const digest& expected, const std::string& hex) {
  return {errc::digest_invalid, "expected " + expected.text + ", received " + hex};
}

std::string_view algorithm_of(const digest& d) {
  return std::string_view(d.text).substr(0, d.text.find(':'));
}

std::string_view hex_of(const digest& d) {
  return std::string_view(d.text).substr(d.text.find(':') + 1);
}

class file_writer final : public blob_writer {
public:
  file_writer(
    std::shared_ptr<blob_folder> folder,
    std::string upload,
    unique_fd fd,
    std::uint64_t size)
    : folder_(std::move(folder)),
      upload_(std::move(upload)),
      fd_(std::move(fd)),
      size_(size),
      started_(size),
      job_(folder_->hashes.follow(fd_.get())) {
    // What an earlier process kept is hashed again while the client sends the rest.
    folder_->hashes.advance(job_, size);
  }
  ~file_writer() override { close(); }

  std::uint64_t offset() const override { return size_.load(std::memory_order_relaxed); }
  result<void> append(std::span<const char> bytes) override;
  result<void> flush() override;
  result<void> finish(const digest& expected) override;
  result<digest> content() override;
  void abort() override;

private:
  result<void> verify(const digest& expected);
  void start_writeback(std::uint64_t size);
  void close();

  std::shared_ptr<blob_folder> folder_;
  std::string upload_;
  unique_fd fd_;
  std::atomic<std::uint64_t> size_;  // read by whoever asks for the status meanwhile
  std::uint64_t started_;            // writeback was started up to here
  std::shared_ptr<hash_pool::job> job_;
  bool sync_failed_ =
    false;  // after a failed sync the kernel may have dropped pages: never trust the file again
};

result<void> file_writer::append(std::span<const char> bytes) {
  if (!fd_) {
    return fail(errc::upload_unknown, "upload " + upload_ + " is over");
  }
  auto size = size_.load(std::memory_order_relaxed);
  auto done = write_at(fd_.get(), size, bytes);
  size_.store(size, std::memory_order_relaxed);
  folder_->hashes.advance(job_, size);
  SLIPWAY_FAILPOINT("blob.append.written");
  start_writeback(size);
  return done;
}

void file_writer::start_writeback(std::uint64_t size) {
  if (size - started_ >= writeback_bytes) {
    // Only a hint: the sync in `finish` is what counts, so a failure shows there.
    (void)::sync_file_range(
      fd_.get(),
      static_cast<off_t>(started_),
      static_cast<off_t>(size - started_),
      SYNC_FILE_RANGE_WRITE);
    started_ = size;
  }
}

result<void> file_writer::flush() {
  if (!fd_ || sync_failed_) {
    return fail(errc::io_failed, "upload " + upload_ + " can not be synced");
  }
  if (::fdatasync(fd_.get()) != 0) {
    sync_failed_ = true;
    return tl::unexpected(from_errno("sync upload", errno));
  }
  return {};
}

result<void> file_writer::verify(const digest& expected) {
  if (algorithm_of(expected) != "sha256") {
    return folder_->check(fd_.get(), offset(), expected);
  }
  auto hex = folder_->hashes.sha256(job_, offset());
  if (!hex) {
    return tl::unexpected(hex.error());
  }
  return *hex == hex_of(expected) ? result<void>{}
                                  : tl::unexpected(mismatch(expected, "sha256:" + *hex));
}

result<void> file_writer::finish(const digest& expected) {
  if (!fd_ || sync_failed_) {
    return fail(errc::io_failed, "upload " + upload_ + " can not be finished");
  }
  if (auto good = verify(expected); !good) {
    return good;
  }
  SLIPWAY_FAILPOINT("blob.finish.verified");
  auto published = folder_->publish(fd_.get(), folder_->upload_path(upload_), expected);
  if (!published) {
    sync_failed_ = true;
    return published;
  }
  close();
  return {};
}

result<digest> file_writer::content() {
  if (!fd_) {
    return fail(errc::upload_unknown, "upload " + upload_ + " is over");
  }
  auto hex = folder_->hashes.sha256(job_, offset());
  return hex ? result<digest>(digest{"sha256:" + *hex}) : tl::unexpected(hex.error());
}

void file_writer::abort() {
  if (fd_) {
    // A file that can not be unlinked now is swept later.
    (void)::unlink(folder_->upload_path(upload_).c_str());
    close();
  }
}

void file_writer::close() {
  if (fd_) {
    folder_->hashes.drop(job_);
    fd_.reset();
    folder_->release(upload_);
  }
}

}  // namespace

std::string blob_folder::blob_folder_of(const digest& d) const {
  return root_ + "/blobs/" + std::string(algorithm_of(d)) + "/"
         + std::string(hex_of(d).substr(0, 2));
}

std::string blob_folder::blob_path(const digest& d) const {
  return blob_folder_of(d) + "/" + std::string(hex_of(d));
}

bool blob_folder::claim(const std::string& upload) {
  const std::lock_guard lock(mutex_);
  return claimed_.insert(upload).second;
}

void blob_folder::release(const std::string& upload) {
  const std::lock_guard lock(mutex_);
  claimed_.erase(upload);
}

result<void> blob_folder::check(int fd, std::uint64_t size, const digest& expected) {
  const auto algorithm = std::string(algorithm_of(expected));
  auto hex = hash_file(fd, size, algorithm);
  if (!hex) {
    return tl::unexpected(hex.error());
  }
  return *hex == hex_of(expected) ? result<void>{}
                                  : tl::unexpected(mismatch(expected, algorithm + ":" + *hex));
}

result<void> blob_folder::publish(int fd, const std::string& path, const digest& d) {
  if (::fdatasync(fd) != 0) {
    return tl::unexpected(from_errno("sync blob", errno));
  }
  SLIPWAY_FAILPOINT("blob.finish.synced");
  // An equal blob that is there already is replaced in one step: its readers keep the old file.
  if (std::rename(path.c_str(), blob_path(d).c_str()) != 0) {
    return tl::unexpected(from_errno("name blob", errno));
  }
  SLIPWAY_FAILPOINT("blob.finish.renamed");
  return sync_folder(blob_folder_of(d));
}

std::unique_ptr<blob_writer> make_file_writer(
  std::shared_ptr<blob_folder> folder,
  std::string upload,
  unique_fd fd,
  std::uint64_t size) {
  return std::make_unique<file_writer>(std::move(folder), std::move(upload), std::move(fd), size);
}

}  // namespace slipway::storage
