#include "storage/device_logs.hpp"

#include "messages/codec.hpp"
#include "runtime/failpoint.hpp"
#include "storage/database.hpp"
#include "storage/keys.hpp"

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/statvfs.h>

#include <chrono>
#include <filesystem>
#include <unordered_map>

namespace slipway::storage {
namespace {

constexpr std::string_view format_key = "format";
constexpr std::string_view format = "1";
constexpr std::size_t line_key_bytes = 16;
constexpr std::size_t device_key_bytes = 8;
/// Extents remembered for the writer; past it all are forgotten and read again.
constexpr std::size_t extents_max = 65'536;
/// Trimming goes this part below the limit, so that it is seldom due.
constexpr std::uint64_t trim_slack = 16;
constexpr auto free_space_checked_every = std::chrono::milliseconds(200);

void put_key(std::string& out, std::int64_t device, std::uint64_t number) {
  out.clear();
  keys::append_u64(out, static_cast<std::uint64_t>(device));
  keys::append_u64(out, number);
}

std::string device_key(std::int64_t device) {
  std::string k;
  keys::append_u64(k, static_cast<std::uint64_t>(device));
  return k;
}

std::string_view view(rocksdb::Slice s) {
  return {s.data(), s.size()};
}

rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions o;
  o.env = env;
  o.create_if_missing = true;
  o.create_missing_column_families = true;
  o.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  o.max_total_wal_size = 32U << 20U;
  o.max_background_jobs = 2;
  o.max_open_files = 256;
  o.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  o.max_log_file_size = 1U << 20U;
  o.keep_log_file_num = 2;
  o.stats_dump_period_sec = 0;
  o.stats_persist_period_sec = 0;
  return o;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16U << 10U;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions o;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  o.compression = rocksdb::kLZ4Compression;
  o.bottommost_compression = rocksdb::kZSTD;
  o.write_buffer_size = 8U << 20U;
  return o;
}

class store final : public device_logs {
public:
  explicit store(device_log_options o) : o_(std::move(o)) {}
  ~store() override;
  result<void> open();

  result<std::vector<log_extent>> append(std::span<const log_batch> batches, bool durable) override;
  result<void> sync() override;
  result<void> remove(std::int64_t device) override;
  result<bool> sweep(std::int64_t now_ms, const std::function<bool(std::int64_t)>& exists) override;
  result<log_extent> extent(std::int64_t device) const override;
  result<void> read(
    std::int64_t device,
    std::uint64_t after,
    const std::function<bool(std::uint64_t, const log_line&)>& visit) const override;

private:
  enum class trim_for { size, age };

  result<void> check_room();
  result<log_extent*> known(std::int64_t device);
  void put_lines(rocksdb::WriteBatch& batch, const log_batch& b, log_extent& at);
  result<void> trim(
    rocksdb::WriteBatch& batch,
    std::int64_t device,
    log_extent& at,
    trim_for why,
    std::int64_t age_limit_ms);
  [[nodiscard]] bool too_much(const log_extent& at) const {
    return at.bytes > o_.retention.bytes_max || at.lines() > o_.retention.lines_max;
  }
  void put_extent(rocksdb::WriteBatch& batch, std::int64_t device, const log_extent& at);
  void erase_device(rocksdb::WriteBatch& batch, std::int64_t device);
  result<void> write(rocksdb::WriteBatch& batch, bool durable);

  device_log_options o_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  rocksdb::ColumnFamilyHandle* lines_ = nullptr;
  rocksdb::ColumnFamilyHandle* extents_ = nullptr;
  // The writer's own.
  std::unordered_map<std::int64_t, log_extent> cache_;
  std::chrono::steady_clock::time_point room_checked_{};
  std::string swept_;  ///< key of the last device that the sweep looked at
};

store::~store() {
  for (auto* handle : handles_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
  if (db_ != nullptr) {
    (void)db_->Close();  // what it could report has been written to the WAL before
  }
}

result<void> store::open() {
  auto* env = o_.env == nullptr ? rocksdb::Env::Default() : o_.env;
  if (o_.env == nullptr) {
    std::error_code made;
    std::filesystem::create_directories(o_.path, made);
    if (made) {
      return fail(errc::io_failed, "create " + o_.path + ": " + made.message());
    }
  }
  const auto cache = rocksdb::NewLRUCache(8U << 20U);
  const auto family = family_options(cache);
  std::vector<rocksdb::ColumnFamilyDescriptor> families{
    {"default", family},
    {"lines", family},
    {"extents", family}};
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(db_options(env), o_.path, families, &handles_, &db);
  if (!s.ok()) {
    return tl::unexpected(to_error("open " + o_.path, s));
  }
  db_.reset(db);
  lines_ = handles_[1];
  extents_ = handles_[2];
  std::string found;
  const auto got = db_->Get({}, slice(format_key), &found);
  if (got.ok() && found != format) {
    return fail(errc::unsupported, "open " + o_.path + ": format " + found);
  }
  if (got.IsNotFound()) {
    const auto put = db_->Put(synced(), slice(format_key), slice(format));
    return put.ok() ? result<void>{} : tl::unexpected(to_error("open " + o_.path, put));
  }
  return got.ok() ? result<void>{} : tl::unexpected(to_error("open " + o_.path, got));
}

result<void> store::check_room() {
  const auto now = std::chrono::steady_clock::now();
  if (o_.env != nullptr || now - room_checked_ < free_space_checked_every) {
    return {};
  }
  struct statvfs disk {};
  if (::statvfs(o_.path.c_str(), &disk) == 0) {
    const auto free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    if (free < o_.reserve_bytes) {
      return fail(errc::disk_full, "device logs: the disk's reserve is reached");
    }
  }
  room_checked_ = now;
  return {};
}

result<log_extent> store::extent(std::int64_t device) const {
  std::string bytes;
  const auto s = db_->Get({}, extents_, device_key(device), &bytes);
  if (s.IsNotFound()) {
    return log_extent{};
  }
  if (!s.ok()) {
    return tl::unexpected(to_error("device log", s));
  }
  return messages::unpack<log_extent>(bytes);
}

result<log_extent*> store::known(std::int64_t device) {
  const auto it = cache_.find(device);
  if (it != cache_.end()) {
    return &it->second;
  }
  auto at = extent(device);
  if (!at) {
    return tl::unexpected(at.error());
  }
  return &cache_.emplace(device, *at).first->second;
}

void store::put_lines(rocksdb::WriteBatch& batch, const log_batch& b, log_extent& at) {
  std::string key;
  for (const auto& line : b.lines) {
    if (at.lines() == 0) {
      at.oldest_ms = line.created_ms;
    }
    put_key(key, b.device, ++at.last);
    const auto value = messages::pack(line);
    at.bytes += key.size() + value.size();
    batch.Put(lines_, key, value);
  }
}

/// Looks only at lines that are written already, never at those of `batch`.
result<void> store::trim(
  rocksdb::WriteBatch& batch,
  std::int64_t device,
  log_extent& at,
  trim_for why,
  std::int64_t age_limit_ms) {
  const auto& r = o_.retention;
  const auto bytes_goal = r.bytes_max - r.bytes_max / trim_slack;
  const auto lines_goal = r.lines_max - r.lines_max / trim_slack;
  std::string begin;
  put_key(begin, device, at.first);
  std::string end;
  put_key(end, device, at.last + 1);
  const rocksdb::Slice bound(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, lines_));
  auto to = at;
  std::size_t steps = 0;
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const auto line = messages::unpack<log_line>(view(it->value()));
    to.oldest_ms = line ? line->created_ms : 0;
    const bool enough = why == trim_for::size ? to.bytes <= bytes_goal && to.lines() <= lines_goal
                                              : to.oldest_ms >= age_limit_ms;
    if (enough || ++steps > log_trim_step_lines) {
      break;
    }
    to.bytes -= std::min<std::uint64_t>(to.bytes, it->key().size() + it->value().size());
    to.first = keys::read_u64(view(it->key()).substr(device_key_bytes)) + 1;
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("trim device log", it->status()));
  }
  if (to.lines() == 0) {
    to.bytes = 0;
  }
  if (to.first > at.first) {
    put_key(end, device, to.first);
    batch.DeleteRange(lines_, begin, end);
    at = to;
  }
  return {};
}

void store::put_extent(rocksdb::WriteBatch& batch, std::int64_t device, const log_extent& at) {
  batch.Put(extents_, device_key(device), messages::pack(at));
}

result<void> store::write(rocksdb::WriteBatch& batch, bool durable) {
  rocksdb::WriteOptions options;
  options.sync = durable;
  auto s = db_->Write(options, &batch);
  if (!s.ok() && s.severity() >= rocksdb::Status::Severity::kHardError && db_->Resume().ok()) {
    s = db_->Write(options, &batch);  // the disk was full, and is not any more
  }
  if (!s.ok()) {
    cache_.clear();
    return tl::unexpected(to_error("device logs", s));
  }
  return {};
}

result<std::vector<log_extent>> store::append(std::span<const log_batch> batches, bool durable) {
  if (auto room = check_room(); !room) {
    return tl::unexpected(room.error());
  }
  if (cache_.size() > extents_max) {
    cache_.clear();
  }
  rocksdb::WriteBatch batch;
  std::vector<log_extent> out;
  for (const auto& b : batches) {
    auto at = known(b.device);
    if (!at) {
      cache_.clear();
      return tl::unexpected(at.error());
    }
    if (!b.lines.empty()) {
      // Before the new lines, so that the oldest is known of what remains.
      if (auto done =
            too_much(**at) ? trim(batch, b.device, **at, trim_for::size, 0) : result<void>{};
          !done) {
        cache_.clear();
        return tl::unexpected(done.error());
      }
      put_lines(batch, b, **at);
      put_extent(batch, b.device, **at);
    }
    out.push_back(**at);
  }
  SLIPWAY_FAILPOINT("device_logs.append.begin");
  const bool nothing = batch.Count() == 0;
  auto done = nothing && durable ? sync() : nothing ? result<void>{} : write(batch, durable);
  if (!done) {
    return tl::unexpected(done.error());
  }
  SLIPWAY_FAILPOINT("device_logs.append.written");
  return out;
}

result<void> store::sync() {
  const auto s = db_->SyncWAL();
  return s.ok() ? result<void>{} : tl::unexpected(to_error("device logs", s));
}

void store::erase_device(rocksdb::WriteBatch& batch, std::int64_t device) {
  std::string begin;
  put_key(begin, device, 0);
  std::string end;
  put_key(end, device + 1, 0);
  batch.DeleteRange(lines_, begin, end);
  batch.Delete(extents_, device_key(device));
  cache_.erase(device);
}

result<void> store::remove(std::int64_t device) {
  rocksdb::WriteBatch batch;
  erase_device(batch, device);
  return write(batch, false);
}

result<bool> store::sweep(std::int64_t now_ms, const std::function<bool(std::int64_t)>& exists) {
  rocksdb::WriteBatch batch;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, extents_));
  std::size_t looked = 0;
  for (it->Seek(swept_ + '\0'); it->Valid() && looked < log_sweep_step_devices; it->Next()) {
    ++looked;
    swept_ = it->key().ToString();
    const auto device = static_cast<std::int64_t>(keys::read_u64(swept_));
    if (!exists(device)) {
      erase_device(batch, device);
      continue;
    }
    auto at = known(device);
    if (!at) {
      return tl::unexpected(at.error());
    }
    const auto limit = now_ms - o_.retention.age_ms_max;
    if ((*at)->lines() > 0 && (*at)->oldest_ms < limit) {
      if (auto done = trim(batch, device, **at, trim_for::age, limit); !done) {
        cache_.clear();
        return tl::unexpected(done.error());
      }
      put_extent(batch, device, **at);
    }
  }
  const bool more = it->Valid();
  if (!more) {
    swept_.clear();
  }
  if (batch.Count() > 0) {
    if (auto done = write(batch, false); !done) {
      return tl::unexpected(done.error());
    }
  }
  return more;
}

result<void> store::read(
  std::int64_t device,
  std::uint64_t after,
  const std::function<bool(std::uint64_t, const log_line&)>& visit) const {
  const auto at = extent(device);
  if (!at) {
    return tl::unexpected(at.error());
  }
  std::string begin;
  // Never among lines that were trimmed: stepping over their remains takes time.
  put_key(begin, device, std::max(after + 1, at->first));
  std::string end;
  put_key(end, device, at->last + 1);
  const rocksdb::Slice bound(end);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, lines_));
  for (it->Seek(begin); it->Valid(); it->Next()) {
    const auto line = messages::unpack<log_line>(view(it->value()));
    if (!line || it->key().size() != line_key_bytes) {
      return fail(errc::corrupt, "device log: a line does not decode");
    }
    if (!visit(keys::read_u64(view(it->key()).substr(device_key_bytes)), *line)) {
      break;
    }
  }
  return it->status().ok() ? result<void>{} : tl::unexpected(to_error("device log", it->status()));
}

}  // namespace

messages::result<std::unique_ptr<device_logs>> open_device_logs(device_log_options o) {
  auto opened = std::make_unique<store>(std::move(o));
  if (auto ok = opened->open(); !ok) {
    return tl::unexpected(ok.error());
  }
  return std::unique_ptr<device_logs>(std::move(opened));
}

}  // namespace slipway::storage
