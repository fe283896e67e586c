#include "storage/id_allocator.hpp"

#include "runtime/assert.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"
#include "storage/keys.hpp"

#include <algorithm>

namespace slipway::storage {
namespace {

// One sync for so many ids; at most so many are lost by a crash, in each partition. A partition that uses its ids up gets twice as many
// the next time: a sync per 64 ids held back registrations of devices, which take half a dozen each.
constexpr std::uint64_t block_min = 64;
constexpr std::uint64_t block_max = 8192;

}  // namespace

result<std::unique_ptr<id_allocator>> id_allocator::open(std::shared_ptr<database> d) {
  std::unique_ptr<id_allocator> a(new id_allocator(std::move(d)));
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto stored = a->database_->read_meta(meta_keys::of_partition(meta_keys::ids, p));
    if (!stored) {
      return tl::unexpected(stored.error());
    }
    if (stored->empty()) {
      continue;
    }
    if (stored->size() != sizeof(std::uint64_t)) {
      return fail(errc::corrupt, "id counter of partition " + std::to_string(p));
    }
    const auto n = keys::read_u64(*stored);
    a->counters_[static_cast<std::size_t>(p)] = {n + 1, n, n, 0};
  }
  return a;
}

id_allocator::~id_allocator() {
  if (failed_) {
    return;
  }
  rocksdb::WriteBatch batch;
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto& c = counters_[static_cast<std::size_t>(p)];
    if (c.stored != c.next - 1) {
      std::string value;
      keys::append_u64(value, c.next - 1);
      batch.Put(database_->meta(), slice(meta_keys::of_partition(meta_keys::ids, p)), slice(value));
    }
  }
  if (batch.Count() > 0) {
    // If this fails, ids are skipped: that is allowed.
    (void)database_->db().Write(synced(), &batch);
  }
}

rocksdb::Status id_allocator::store(int partition, std::uint64_t upto) {
  std::string value;
  keys::append_u64(value, upto);
  return database_->db().Put(
    synced(),
    database_->meta(),
    slice(meta_keys::of_partition(meta_keys::ids, partition)),
    slice(value));
}

std::int64_t id_allocator::next(int partition) {
  SLIPWAY_ASSERT(partition >= 0 && partition < messages::partition_count);
  const std::lock_guard lock(mutex_);
  auto& c = counters_[static_cast<std::size_t>(partition)];
  if (c.next > c.reserved && !failed_) {
    c.block = std::clamp(c.block * 2, block_min, block_max);
    const auto upto = c.next + c.block - 1;
    if (const auto s = store(partition, upto); s.ok()) {
      c.reserved = upto;
      c.stored = upto;
    } else {
      runtime::log::error("cannot reserve ids", {{"cause", s.ToString()}});
      failed_ = true;
    }
    SLIPWAY_FAILPOINT("storage.ids.reserved");
  }
  return static_cast<std::int64_t>(c.next++) * messages::partition_count + partition;
}

bool id_allocator::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

void id_allocator::observe(std::int64_t id, rocksdb::WriteBatch& batch) {
  const auto partition = messages::partition_of(id);
  const auto n = static_cast<std::uint64_t>(id) / messages::partition_count;
  const std::lock_guard lock(mutex_);
  auto& c = counters_[static_cast<std::size_t>(partition)];
  if (n >= c.next) {
    c.next = n + 1;
  }
  if (n > c.reserved) {
    c.reserved = n;
    c.stored = n;
    std::string value;
    keys::append_u64(value, n);
    batch.Put(
      database_->meta(),
      slice(meta_keys::of_partition(meta_keys::ids, partition)),
      slice(value));
  }
}

}  // namespace slipway::storage
