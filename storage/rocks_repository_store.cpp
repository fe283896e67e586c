#include "messages/codec.hpp"
#include "runtime/failpoint.hpp"
#include "storage/posix_file.hpp"
#include "storage/repository_store.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <mutex>
#include <shared_mutex>

namespace slipway::storage {
namespace {

using messages::errc;
using messages::fail;
using messages::result;

// Keys, docs/formats/blobs.md: a letter, the repository, a zero byte, the rest. Names hold no zero byte.
enum class table : char { manifest = 'm', tag = 't', blob = 'b', upload = 'u' };

std::string key(table t, std::string_view repository, std::string_view rest = {}) {
  std::string k(1, static_cast<char>(t));
  k.append(repository).append(1, '\0').append(rest);
  return k;
}

std::string upload_key(std::string_view id) {
  return std::string(1, static_cast<char>(table::upload)).append(id);
}

/// A blob link; members may be added.
struct blob_row {
  std::uint64_t size = 0;
  SLIPWAY_FIELDS(size)
};

messages::error from_status(const rocksdb::Status& s) {
  const bool full = s.IsNoSpace();
  const auto code = full ? errc::disk_full : s.IsCorruption() ? errc::corrupt : errc::io_failed;
  return {code, "repository store: " + s.ToString()};
}

rocksdb::Options database_options() {
  rocksdb::Options o;
  o.create_if_missing = true;
  // Small on purpose: a million manifests are some hundred megabytes on disk, and the hot ones are few.
  o.write_buffer_size = std::size_t{4} * 1024 * 1024;
  o.max_write_buffer_number = 2;
  o.max_open_files = 64;
  o.keep_log_file_num = 2;
  o.max_total_wal_size = std::uint64_t{16} * 1024 * 1024;
  rocksdb::BlockBasedTableOptions t;
  t.block_cache = rocksdb::NewLRUCache(std::size_t{4} * 1024 * 1024);
  t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(t));
  return o;
}

class store final : public repository_store {
public:
  explicit store(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  result<void> put_manifest(
    std::string_view repository,
    const manifest_record& m,
    std::string_view tag) override;
  result<manifest_record> manifest(std::string_view repository, const digest& d) const override;
  result<manifest_record> tagged(std::string_view repository, std::string_view tag) const override;
  result<std::vector<std::string>>
  tags(std::string_view repository, std::string_view last, std::size_t count) const override;
  result<void> remove_manifest(std::string_view repository, const digest& d) override;
  result<void> remove_tag(std::string_view repository, std::string_view tag) override;
  result<void> link_blob(std::string_view repository, const digest& d, std::uint64_t size) override;
  result<std::uint64_t> blob_size(std::string_view repository, const digest& d) const override;
  result<void> unlink_blob(std::string_view repository, const digest& d) override;
  result<void> put_upload(std::string_view id, const upload_record& u) override;
  result<upload_record> upload(std::string_view id) const override;
  result<void> remove_upload(std::string_view id) override;
  result<std::vector<std::string>> uploads_before(std::int64_t ms, std::size_t count)
    const override;

private:
  result<std::string> get(const std::string& k, errc missing, std::string_view what) const;
  result<void> write(rocksdb::WriteBatch& batch, bool sync);
  bool holds_anything(std::string_view repository) const;

  std::unique_ptr<rocksdb::DB> db_;
  /// Removals look and then write, so they exclude the writes they look for; those share.
  mutable std::shared_mutex removal_;
};

result<std::string> store::get(const std::string& k, errc missing, std::string_view what) const {
  std::string value;
  const auto s = db_->Get(rocksdb::ReadOptions(), k, &value);
  if (s.IsNotFound()) {
    return fail(missing, std::string(what) + " unknown to this repository");
  }
  if (!s.ok()) {
    return tl::unexpected(from_status(s));
  }
  return value;
}

result<void> store::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto s = db_->Write(options, &batch);
  return s.ok() ? result<void>{} : tl::unexpected(from_status(s));
}

result<void>
store::put_manifest(std::string_view repository, const manifest_record& m, std::string_view tag) {
  rocksdb::WriteBatch batch;
  batch.Put(key(table::manifest, repository, m.digest), messages::pack(m));
  if (!tag.empty()) {
    batch.Put(key(table::tag, repository, tag), m.digest);
  }
  const std::shared_lock lock(removal_);
  auto done = write(batch, true);
  SLIPWAY_FAILPOINT("repository.manifest.synced");
  return done;
}

result<manifest_record> store::manifest(std::string_view repository, const digest& d) const {
  auto row = get(key(table::manifest, repository, d.text), errc::manifest_unknown, "manifest");
  return row ? messages::unpack<manifest_record>(*row) : tl::unexpected(row.error());
}

result<manifest_record> store::tagged(std::string_view repository, std::string_view tag) const {
  auto found = get(key(table::tag, repository, tag), errc::manifest_unknown, "tag");
  return found ? manifest(repository, digest{std::move(*found)}) : tl::unexpected(found.error());
}

bool store::holds_anything(std::string_view repository) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (const auto t : {table::blob, table::manifest}) {
    const auto prefix = key(t, repository);
    it->Seek(prefix);
    if (it->Valid() && it->key().starts_with(prefix)) {
      return true;
    }
  }
  return false;
}

result<std::vector<std::string>>
store::tags(std::string_view repository, std::string_view last, std::size_t count) const {
  std::vector<std::string> out;
  const auto prefix = key(table::tag, repository);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(prefix + std::string(last)); it->Valid() && it->key().starts_with(prefix);
       it->Next()) {
    auto tag = it->key().ToString().substr(prefix.size());
    if (out.size() >= count) {
      break;
    }
    if (last.empty() || tag != last) {
      out.push_back(std::move(tag));
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(from_status(it->status()));
  }
  if (out.empty() && !holds_anything(repository)) {
    return fail(errc::not_found, "repository name not known to registry");
  }
  return out;
}

result<void> store::remove_manifest(std::string_view repository, const digest& d) {
  const std::unique_lock lock(removal_);
  if (auto known = manifest(repository, d); !known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  batch.Delete(key(table::manifest, repository, d.text));
  const auto prefix = key(table::tag, repository);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    if (it->value() == d.text) {
      batch.Delete(it->key());
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(from_status(it->status()));
  }
  return write(batch, true);
}

result<void> store::remove_tag(std::string_view repository, std::string_view tag) {
  const std::unique_lock lock(removal_);
  const auto k = key(table::tag, repository, tag);
  if (auto known = get(k, errc::manifest_unknown, "tag"); !known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  batch.Delete(k);
  return write(batch, true);
}

result<void> store::link_blob(std::string_view repository, const digest& d, std::uint64_t size) {
  rocksdb::WriteBatch batch;
  batch.Put(key(table::blob, repository, d.text), messages::pack(blob_row{size}));
  const std::shared_lock lock(removal_);
  auto done = write(batch, true);
  SLIPWAY_FAILPOINT("repository.blob.synced");
  return done;
}

result<std::uint64_t> store::blob_size(std::string_view repository, const digest& d) const {
  auto row = get(key(table::blob, repository, d.text), errc::blob_unknown, "blob");
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto link = messages::unpack<blob_row>(*row);
  return link ? result<std::uint64_t>(link->size) : tl::unexpected(link.error());
}

result<void> store::unlink_blob(std::string_view repository, const digest& d) {
  const std::unique_lock lock(removal_);
  if (auto known = blob_size(repository, d); !known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  batch.Delete(key(table::blob, repository, d.text));
  return write(batch, true);
}

result<void> store::put_upload(std::string_view id, const upload_record& u) {
  rocksdb::WriteBatch batch;
  batch.Put(upload_key(id), messages::pack(u));
  return write(batch, false);
}

result<upload_record> store::upload(std::string_view id) const {
  auto row = get(upload_key(id), errc::upload_unknown, "upload");
  return row ? messages::unpack<upload_record>(*row) : tl::unexpected(row.error());
}

result<void> store::remove_upload(std::string_view id) {
  rocksdb::WriteBatch batch;
  batch.Delete(upload_key(id));
  return write(batch, false);
}

result<std::vector<std::string>> store::uploads_before(std::int64_t ms, std::size_t count) const {
  std::vector<std::string> out;
  const auto prefix = upload_key("");
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix) && out.size() < count;
       it->Next()) {
    const auto row =
      messages::unpack<upload_record>(std::string_view(it->value().data(), it->value().size()));
    if (!row || row->touched_ms < ms) {
      out.push_back(it->key().ToString().substr(prefix.size()));
    }
  }
  return it->status().ok() ? result<std::vector<std::string>>(std::move(out))
                           : tl::unexpected(from_status(it->status()));
}

}  // namespace

result<std::unique_ptr<repository_store>> open_repository_store(const std::string& folder) {
  if (auto made = make_folder(folder); !made) {
    return tl::unexpected(messages::with_context("repository store", made.error()));
  }
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(database_options(), folder, &db);
  if (!s.ok()) {
    return tl::unexpected(from_status(s));
  }
  return std::make_unique<store>(std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace slipway::storage
