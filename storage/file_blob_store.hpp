#pragma once

#include "storage/blob_store.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace slipway::storage {

struct file_blob_options {
  std::string root;      ///< made when absent; one process at a time
  int hash_threads = 2;  ///< shared by all uploads
  /// Uploads that nobody wrote to for so long go at the start and at every `sweep`.
  std::int64_t upload_idle_ms_max = std::int64_t{24} * 60 * 60 * 1000;
};

/// Blobs as files, docs/formats/blobs.md:
///   blobs/sha256/ab/<hex>   whole and verified, never changed
///   uploads/<id>            bytes received so far
class file_blob_store : public blob_store {
public:
  /// Removes uploads idle for longer than the limit, except those that a writer holds. Returns how many went.
  virtual std::size_t sweep() = 0;
};

/// Errors: io_failed, unavailable (another process has it open).
[[nodiscard]] messages::result<std::unique_ptr<file_blob_store>> open_file_blobs(
  file_blob_options o);

}  // namespace slipway::storage
