#pragma once

#include "messages/event.hpp"
#include "storage/database.hpp"

#include <rocksdb/write_batch.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <vector>

namespace slipway::storage {

/// Which commands were carried out, so that a repeated one is answered and not repeated. Forgets in the order of the log:
/// what is older than `command_age_ms_max` or further back in its partition than `commands_per_partition_max` commits,
/// a few with each append. One thread, the appender's.
class command_memory {
public:
  static constexpr std::int64_t command_age_ms_max = std::int64_t{7} * 24 * 3600 * 1000;
  static constexpr std::uint64_t commands_per_partition_max = 65'536;

  [[nodiscard]] static result<std::unique_ptr<command_memory>> open(std::shared_ptr<database> d);

  /// What the command was answered, also earlier in this call.
  [[nodiscard]] result<std::optional<messages::appended>> find(const messages::command_id& id);
  /// The same of what is stored, from any thread.
  [[nodiscard]] result<std::optional<messages::appended>> stored(
    const messages::command_id& id) const;
  /// `done` goes into `batch` with the commit.
  void remember(
    const messages::command_id& id,
    const messages::appended& done,
    rocksdb::WriteBatch& batch);
  /// Adds to `batch` what is to be forgotten in a partition that stands at `head` and was appended to at `now_ms`.
  [[nodiscard]] result<void>
  trim(int partition, std::uint64_t head, std::int64_t now_ms, rocksdb::WriteBatch& batch);
  void end_call();

private:
  explicit command_memory(std::shared_ptr<database> d) : database_(std::move(d)) {}
  struct id_hash {
    std::size_t operator()(const messages::command_id& id) const noexcept {
      std::size_t h = 0;
      std::memcpy(&h, id.data(), sizeof h);
      std::size_t l = 0;
      std::memcpy(&l, id.data() + sizeof h, sizeof l);
      return h ^ (l * 0x9e3779b97f4a7c15ULL);
    }
  };
  struct cursor {
    std::uint64_t trimmed = 0;           ///< commands up to this seq are forgotten
    std::int64_t next_time = INT64_MIN;  ///< of the record behind it, once known
  };

  std::shared_ptr<database> database_;
  std::unordered_map<messages::command_id, messages::appended, id_hash> call_;
  std::array<cursor, messages::partition_count> cursors_;
};

}  // namespace slipway::storage
