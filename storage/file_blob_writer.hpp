#pragma once

#include "storage/blob_store.hpp"
#include "storage/hash_pool.hpp"
#include "storage/posix_file.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

namespace slipway::storage {

/// What the store and its writers share: where files are, the hash threads, which uploads have a writer.
class blob_folder {
public:
  blob_folder(std::string root, int hash_threads) : root_(std::move(root)), hashes(hash_threads) {}

  [[nodiscard]] std::string uploads() const { return root_ + "/uploads"; }
  [[nodiscard]] std::string upload_path(const std::string& name) const {
    return uploads() + "/" + name;
  }
  [[nodiscard]] std::string blob_folder_of(const digest& d) const;
  [[nodiscard]] std::string blob_path(const digest& d) const;

  /// One writer per upload: false when there is one already.
  [[nodiscard]] bool claim(const std::string& upload);
  void release(const std::string& upload);

  /// Errors: digest_invalid, io_failed.
  [[nodiscard]] messages::result<void> check(int fd, std::uint64_t size, const digest& expected);
  /// Data to disk, then the name, then the folder: the blob appears whole or not at all.
  [[nodiscard]] messages::result<void> publish(int fd, const std::string& path, const digest& d);

private:
  std::string root_;
  std::mutex mutex_;
  std::unordered_set<std::string> claimed_;

public:
  hash_pool hashes;
};

[[nodiscard]] std::unique_ptr<blob_writer> make_file_writer(
  std::shared_ptr<blob_folder> folder,
  std::string upload,
  unique_fd fd,
  std::uint64_t size);

}  // namespace slipway::storage
