#include "storage/database.hpp"

#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace slipway::storage {
namespace {

constexpr std::string_view store_format = "1";
constexpr std::size_t block_cache_bytes = 32U << 20U;
// What is in no table yet is in the WAL; this bounds both the files and the time that an open replays.
constexpr std::size_t wal_bytes_max = 128U << 20U;

constexpr std::array<const char*, 5> fixed_families =
  {"default", "log", "meta", "commands", "snapshots"};
constexpr std::array<const char*, 3> model_families = {"rows.", "index.", "heads."};

rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions o;
  o.env = env;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  // A torn end is a write that was never acknowledged; damage before it makes the open fail, rather than drop commits.
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.max_total_wal_size = wal_bytes_max;
  o.max_background_jobs = 2;
  o.max_open_files = 512;
  // One writer: nothing to run in parallel, and the insertion hints of the log work.
  o.allow_concurrent_memtable_write = false;
  o.enable_write_thread_adaptive_yield = false;
  o.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  o.max_log_file_size = 1U << 20U;
  o.keep_log_file_num = 2;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  return o;
}

rocksdb::ColumnFamilyOptions family_options(
  const std::string& name,
  const std::shared_ptr<rocksdb::Cache>& cache) {
  const bool log = name == "log";
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16U << 10U;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  if (!log) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
  }
  rocksdb::ColumnFamilyOptions o;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  o.compression = rocksdb::kLZ4Compression;
  o.write_buffer_size = 8U << 20U;
  if (log) {
    o.bottommost_compression = rocksdb::kZSTD;
    o.write_buffer_size = 32U << 20U;
    // Each partition's next key goes right behind its last one.
    o.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
  }
  if (name == "commands") {
    // Nearly every look-up is of a command that was never seen.
    o.memtable_whole_key_filtering = true;
    o.memtable_prefix_bloom_size_ratio = 0.05;
  }
  return o;
}

bool known_family(const std::string& name) {
  return std::find(fixed_families.begin(), fixed_families.end(), name) != fixed_families.end()
         || std::any_of(model_families.begin(), model_families.end(), [&name](const char* family) {
              return name == std::string(family) + 'a' || name == std::string(family) + 'b';
            });
}

result<std::vector<std::string>> existing_families(
  const rocksdb::DBOptions& options,
  const std::string& path) {
  if (!options.env->FileExists(path + "/CURRENT").ok()) {
    return std::vector<std::string>{};
  }
  std::vector<std::string> names;
  if (const auto s = rocksdb::DB::ListColumnFamilies(options, path, &names); !s.ok()) {
    return tl::unexpected(to_error("open " + path, s));
  }
  for (const auto& name : names) {
    if (!known_family(name)) {
      return fail(errc::unsupported, "open " + path + ": unknown part " + name);
    }
  }
  return names;
}

}  // namespace

messages::error to_error(std::string_view context, const rocksdb::Status& s) {
  auto code = errc::io_failed;
  if (s.IsNoSpace() || s.subcode() == rocksdb::Status::kNoSpace) {
    code = errc::disk_full;
  } else if (s.IsCorruption()) {
    code = errc::corrupt;
  } else if (s.IsNotSupported()) {
    code = errc::unsupported;
  }
  return {code, std::string(context) + ": " + s.ToString()};
}

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions o;
  o.sync = true;
  return o;
}

result<std::shared_ptr<database>> database::open(const std::string& path, rocksdb::Env* env) {
  std::shared_ptr<database> d(new database);
  if (env == nullptr) {
    std::error_code made;
    std::filesystem::create_directories(path, made);
    if (made) {
      return fail(errc::io_failed, "create " + path + ": " + made.message());
    }
  }
  d->path_ = path;
  d->env_ = env == nullptr ? rocksdb::Env::Default() : env;
  const auto options = db_options(d->env_);
  auto names = existing_families(options, path);
  if (!names) {
    return tl::unexpected(names.error());
  }
  for (const auto* family : fixed_families) {
    if (std::find(names->begin(), names->end(), family) == names->end()) {
      names->emplace_back(family);
    }
  }
  d->cache_ = rocksdb::NewLRUCache(block_cache_bytes);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : *names) {
    families.emplace_back(name, family_options(name, d->cache_));
  }
  rocksdb::DB* db = nullptr;
  if (const auto s = rocksdb::DB::Open(options, path, families, &d->handles_, &db); !s.ok()) {
    return tl::unexpected(to_error("open " + path, s));
  }
  d->db_.reset(db);
  d->log_ = d->take("log");
  d->meta_ = d->take("meta");
  d->commands_ = d->take("commands");
  d->snapshots_ = d->take("snapshots");
  if (const auto chosen = d->choose_model(); !chosen) {
    return tl::unexpected(chosen.error());
  }
  return d;
}

database::~database() {
  for (auto* handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
  if (db_ != nullptr) {
    // What Close could still report was acknowledged from the synced WAL already.
    (void)db_->Close();
  }
}

rocksdb::ColumnFamilyHandle* database::take(const std::string& name) {
  const auto it = std::find_if(handles_.begin(), handles_.end(), [&name](auto* handle) {
    return handle->GetName() == name;
  });
  return it == handles_.end() ? nullptr : *it;
}

model_set database::take_set(char letter) {
  return {
    letter,
    take(std::string("rows.") + letter),
    take(std::string("index.") + letter),
    take(std::string("heads.") + letter)};
}

result<void> database::choose_model() {
  const auto format = read_meta(meta_keys::format);
  const auto letter = read_meta(meta_keys::model);
  if (!format || !letter) {
    return tl::unexpected(!format ? format.error() : letter.error());
  }
  if (!letter->empty()) {
    if (*format != store_format) {
      return fail(errc::unsupported, "open " + path_ + ": store format " + *format);
    }
    model_ = take_set(letter->front());
    if (model_.rows == nullptr || model_.index == nullptr || model_.heads == nullptr) {
      return fail(errc::corrupt, "open " + path_ + ": a part of the read model is missing");
    }
    return drop_leftovers();
  }
  model_.letter = 'b';  // so that the first set is a
  auto first = make_other();
  if (!first) {
    return tl::unexpected(first.error());
  }
  rocksdb::WriteBatch batch;
  batch.Put(meta_, slice(meta_keys::format), slice(store_format));
  return switch_to(*first, batch);
}

result<std::string> database::read_meta(std::string_view key) const {
  std::string value;
  const auto s = db_->Get({}, meta_, slice(key), &value);
  if (!s.ok() && !s.IsNotFound()) {
    return tl::unexpected(to_error("read meta", s));
  }
  return value;
}

result<model_set> database::make_other() {
  if (const auto dropped = drop_leftovers(); !dropped) {
    return tl::unexpected(dropped.error());
  }
  const char letter = model_.letter == 'a' ? 'b' : 'a';
  for (const auto* family : model_families) {
    const auto name = std::string(family) + letter;
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    if (const auto s = db_->CreateColumnFamily(family_options(name, cache_), name, &handle);
        !s.ok()) {
      return tl::unexpected(to_error("create " + name, s));
    }
    handles_.push_back(handle);
  }
  return take_set(letter);
}

result<void> database::switch_to(const model_set& other, rocksdb::WriteBatch& batch) {
  batch.Put(meta_, slice(meta_keys::model), rocksdb::Slice(&other.letter, 1));
  if (const auto s = db_->Write(synced(), &batch); !s.ok()) {
    return tl::unexpected(to_error("switch the read model", s));
  }
  model_ = other;
  return drop_leftovers();
}

result<void> database::drop_leftovers() {
  for (const auto* family : model_families) {
    auto* handle = take(std::string(family) + (model_.letter == 'a' ? 'b' : 'a'));
    if (handle == nullptr) {
      continue;
    }
    if (const auto s = db_->DropColumnFamily(handle); !s.ok()) {
      return tl::unexpected(to_error("drop " + handle->GetName(), s));
    }
    db_->DestroyColumnFamilyHandle(handle);
    handles_.erase(std::find(handles_.begin(), handles_.end(), handle));
  }
  return {};
}

}  // namespace slipway::storage
