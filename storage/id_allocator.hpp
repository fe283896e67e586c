#pragma once

#include "messages/entity.hpp"
#include "storage/database.hpp"

#include <rocksdb/write_batch.h>

#include <array>
#include <cstdint>
#include <mutex>

namespace slipway::storage {

/// Gives row ids: counter * 64 + partition. What may have been given is stored ahead in blocks, synced, so that an id is
/// never given twice even when the commit that used it was lost. Any thread.
class id_allocator {
public:
  [[nodiscard]] static result<std::unique_ptr<id_allocator>> open(std::shared_ptr<database> d);
  id_allocator(const id_allocator&) = delete;
  id_allocator& operator=(const id_allocator&) = delete;
  /// An orderly close gives back what was reserved and not given.
  ~id_allocator();

  /// When a block cannot be stored the id is given all the same and `failed` is true from then on: nothing that uses
  /// it may be committed.
  [[nodiscard]] std::int64_t next(int partition);
  [[nodiscard]] bool failed() const;

  /// An id that a commit brings along, not given here. What has to be stored with the commit goes into `batch`.
  void observe(std::int64_t id, rocksdb::WriteBatch& batch);

private:
  explicit id_allocator(std::shared_ptr<database> d) : database_(std::move(d)) {}
  struct counter {
    std::uint64_t next = 1;
    std::uint64_t reserved = 0;
    std::uint64_t stored = 0;
    std::uint64_t block = 0;  ///< size of the last reservation
  };
  [[nodiscard]] rocksdb::Status store(int partition, std::uint64_t upto);

  std::shared_ptr<database> database_;
  mutable std::mutex mutex_;
  std::array<counter, messages::partition_count> counters_;
  bool failed_ = false;
};

}  // namespace slipway::storage
