#pragma once

#include "messages/error.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// Private to storage/: the only header that includes RocksDB.
namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;

[[nodiscard]] messages::error to_error(std::string_view context, const rocksdb::Status& s);

inline rocksdb::Slice slice(std::string_view s) {
  return {s.data(), s.size()};
}

/// The column families that are derived from the log. There are two sets of names, so that one can be rebuilt beside the
/// other and take its place in one step.
struct model_set {
  char letter = 0;  ///< 'a' or 'b'
  rocksdb::ColumnFamilyHandle* rows = nullptr;
  rocksdb::ColumnFamilyHandle* index = nullptr;
  rocksdb::ColumnFamilyHandle* heads = nullptr;
  [[nodiscard]] std::vector<rocksdb::ColumnFamilyHandle*> all() const {
    return {rows, index, heads};
  }
};

/// The open database and its column families. Closes when the last of log, rows, views and snapshots is gone.
class database {
public:
  /// Creates it when there is none. Errors: io_failed (also: open elsewhere), disk_full, corrupt, unsupported.
  [[nodiscard]] static result<std::shared_ptr<database>> open(
    const std::string& path,
    rocksdb::Env* env);
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  ~database();

  [[nodiscard]] rocksdb::DB& db() const { return *db_; }
  [[nodiscard]] rocksdb::Env& env() const { return *env_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* log() const { return log_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* meta() const { return meta_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* commands() const { return commands_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* snapshots() const { return snapshots_; }
  [[nodiscard]] const model_set& model() const { return model_; }

  /// Value of a key of `meta`, "" when absent.
  [[nodiscard]] result<std::string> read_meta(std::string_view key) const;

  /// An empty set beside the current one.
  [[nodiscard]] result<model_set> make_other();
  /// Makes `other` the current one, together with what else `batch` holds, then drops the former.
  [[nodiscard]] result<void> switch_to(const model_set& other, rocksdb::WriteBatch& batch);

private:
  database() = default;
  [[nodiscard]] result<void> choose_model();
  [[nodiscard]] result<void> drop_leftovers();
  [[nodiscard]] rocksdb::ColumnFamilyHandle* take(const std::string& name);
  [[nodiscard]] model_set take_set(char letter);

  std::string path_;
  rocksdb::Env* env_ = nullptr;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ColumnFamilyHandle* log_ = nullptr;
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  rocksdb::ColumnFamilyHandle* commands_ = nullptr;
  rocksdb::ColumnFamilyHandle* snapshots_ = nullptr;
  model_set model_;
};

/// Keys of `meta`. Those of a partition have its number as one more byte.
namespace meta_keys {
constexpr std::string_view format = "format";
constexpr std::string_view model = "model";
constexpr std::string_view schema = "schema";
constexpr std::string_view ids = "i";   ///< highest id counter that may have been given
constexpr std::string_view trim = "t";  ///< last seq whose command is forgotten
[[nodiscard]] inline std::string of_partition(std::string_view key, int partition) {
  std::string k(key);
  k.push_back(static_cast<char>(partition));
  return k;
}
}  // namespace meta_keys

/// Durable when it returns.
[[nodiscard]] rocksdb::WriteOptions synced();

}  // namespace slipway::storage
