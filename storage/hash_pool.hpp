#pragma once

#include "messages/error.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace slipway::storage {

/// Hashes files while they are being written (ADR 35). A job follows one file: the writer says how far the file reaches, a pool
/// thread reads the new part back from the page cache and hashes it. So no buffer waits in memory between receiving and
/// hashing, however many uploads there are, and going on after a restart is the same code starting at 0.
class hash_pool {
public:
  class job;

  explicit hash_pool(int threads);
  ~hash_pool();
  hash_pool(const hash_pool&) = delete;
  hash_pool& operator=(const hash_pool&) = delete;

  /// `fd` must stay open until `drop` or the end of `finish`.
  [[nodiscard]] std::shared_ptr<job> follow(int fd);
  /// The file now holds `size` good bytes. Cheap: wakes a thread only once a megabyte waits.
  void advance(const std::shared_ptr<job>& j, std::uint64_t size);
  /// SHA-256 (hex) of the first `size` bytes. What the pool has not got to is hashed here, so no upload waits for others.
  /// May be called again later with more bytes.
  [[nodiscard]] messages::result<std::string> sha256(
    const std::shared_ptr<job>& j,
    std::uint64_t size);
  /// Afterwards no thread reads the file.
  void drop(const std::shared_ptr<job>& j);

private:
  void run();
  /// Hashes up to `slice` bytes with the lock released. The caller holds the job (`busy`).
  void hash_slice(std::unique_lock<std::mutex>& lock, job& j, std::uint64_t slice, char* buffer);

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;  ///< some job is no longer busy
  std::deque<std::shared_ptr<job>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// SHA-512 or SHA-256 of a file's first `size` bytes in one go; `algorithm` is the digest's prefix.
[[nodiscard]] messages::result<std::string>
hash_file(int fd, std::uint64_t size, std::string_view algorithm);

}  // namespace slipway::storage
