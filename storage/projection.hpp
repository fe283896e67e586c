#pragma once

#include "messages/event.hpp"
#include "storage/database.hpp"
#include "storage/generation_cache.hpp"
#include "storage/plan.hpp"
#include "storage/record.hpp"

#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace slipway::storage {

/// Turns commits into rows and index entries of one model set. A call is: `stage` and `write` for each commit, the batch
/// written by the caller, `end_call`; later commits of a call see the earlier ones. One thread.
class projection {
public:
  /// While the log is replayed rows and indices are made one after the other (`index_row`): partitions are replayed one by
  /// one, so a unique value may pass from row to row in another order than it did.
  enum class indices { with_rows, later };
  projection(
    const database& d,
    const plan& p,
    const model_set& set,
    indices when = indices::with_rows);

  /// Checks `c` against the rows and works out what it changes. After an error nothing of it is staged.
  /// Errors: conflict, unique_violated, invalid_argument (no such resource or field), io_failed, corrupt.
  [[nodiscard]] result<void> stage(const messages::commit& c);
  /// Adds what was staged to the batch.
  void write(rocksdb::WriteBatch& batch);
  /// Adds the index entries of a stored row to the batch. Errors: unique_violated, corrupt, io_failed.
  [[nodiscard]] result<void> index_row(
    std::uint16_t resource,
    std::int64_t id,
    std::string_view row,
    rocksdb::WriteBatch& batch);
  /// The batch is in the database.
  void end_call();
  /// The batch's outcome is unknown: forgets all that was remembered.
  void forget();

private:
  struct row_key {
    std::int64_t id = 0;
    std::uint16_t resource = 0;
    friend bool operator==(const row_key&, const row_key&) = default;
  };
  struct row_hash {
    std::size_t operator()(const row_key& k) const noexcept {
      return (static_cast<std::uint64_t>(k.id) * 0x9e3779b97f4a7c15ULL)
             ^ (k.resource * 0x85ebca6bULL);
    }
  };
  /// A row that the commit touches; "" = there is none.
  struct change {
    const plan::resource* resource = nullptr;
    std::int64_t id = 0;
    std::string before;
    std::string after;
  };
  struct index_entry {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;  ///< in `entry_bytes_`
    bool names_row = false;  ///< unique and without null: the value is the id
    std::int64_t id = 0;
    const plan::index* index = nullptr;
  };

  [[nodiscard]] result<void> stage_rows(const messages::commit& c);
  [[nodiscard]] result<void> apply(const messages::event& e, const messages::commit& c);
  void reset();
  void write_index(rocksdb::WriteBatch& batch);
  [[nodiscard]] result<change*> touch(const plan::resource& r, std::int64_t id);
  [[nodiscard]] result<std::string*> load(const plan::resource& r, std::int64_t id);
  [[nodiscard]] result<void> stage_index(const change& c);
  [[nodiscard]] result<void> add_entry(
    std::vector<index_entry>& list,
    const change& c,
    const plan::index& index,
    const row_layout& row);
  [[nodiscard]] result<void> check_unique();
  [[nodiscard]] result<std::int64_t> holder(const std::string& key);
  void claim(const std::string& key, std::int64_t id);
  void undo_claims();
  [[nodiscard]] std::string_view bytes_of(const index_entry& e) const {
    return std::string_view(entry_bytes_).substr(e.begin, e.size);
  }

  const database& database_;
  const plan& plan_;
  const model_set set_;
  const indices when_;
  generation_cache<row_key, std::string, row_hash> rows_;  // encoded; "" = known to be absent

  // Who holds a unique value after the commits of this call so far; 0 = nobody. Undone when a commit fails.
  std::unordered_map<std::string, std::int64_t> claims_;
  std::vector<std::pair<std::string, std::optional<std::int64_t>>> undo_;

  // Of the commit being staged. Buffers are kept from one to the next.
  std::vector<change> changes_;
  std::size_t changes_used_ = 0;
  std::unordered_map<row_key, std::size_t, row_hash> change_by_row_;  // only when there are many
  std::vector<index_entry> removed_;
  std::vector<index_entry> added_;
  std::string entry_bytes_;
  row_editor editor_;
  row_layout before_;
  row_layout after_;
  std::string scratch_;
  std::string key_;
};

}  // namespace slipway::storage
