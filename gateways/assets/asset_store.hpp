#pragma once

#include "storage/blob_store.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>

namespace slipway::gateways {

/// The bytes of release assets: a blob store of their own, where the rows say which blobs are in use (ADR 62). What no row names and nobody
/// holds is removed, whatever it came from: a row that went away, an upload given up, a process that was killed. Any thread.
class asset_store {
public:
  explicit asset_store(storage::blob_store& blobs) : blobs_(blobs) {}

  /// While it lives the blob is not removed, although no row names it yet.
  class hold {
  public:
    hold(asset_store& store, storage::digest d);
    ~hold();
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;
    [[nodiscard]] const storage::digest& what() const { return digest_; }

  private:
    asset_store& store_;
    storage::digest digest_;
  };

  /// Errors: disk_full, io_failed.
  [[nodiscard]] messages::result<std::unique_ptr<storage::blob_writer>> begin();
  /// Makes what was written durable and holds it. Errors: disk_full, io_failed.
  [[nodiscard]] messages::result<std::shared_ptr<hold>> finish(storage::blob_writer& writer);
  /// Errors: blob_unknown.
  [[nodiscard]] messages::result<std::unique_ptr<storage::blob_reader>> open(
    const std::string& digest) const;

  /// A row may have let go of its blob.
  void rows_changed() { changed_.store(true, std::memory_order_relaxed); }
  /// Removes what is not in use, if there may be something. `in_use` tells the digests that rows name, of now. Returns how many blobs
  /// went. Errors: io_failed; the next sweep tries again.
  [[nodiscard]] messages::result<std::size_t> sweep(
    const std::function<std::set<std::string>()>& in_use);

private:
  [[nodiscard]] bool remove_unless_held(const storage::digest& d);

  storage::blob_store& blobs_;
  std::atomic<bool> changed_{true};
  std::mutex sweeping_;
  std::mutex mutex_;
  std::unordered_map<std::string, int> held_;
  std::set<std::string> held_meanwhile_;  ///< held at some time since the sweep began
};

}  // namespace slipway::gateways
