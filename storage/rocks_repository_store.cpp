#include "messages/codec.hpp"
#include "runtime/failpoint.hpp"
#include "storage/posix_file.hpp"
#include "storage/rocks_repositories.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>

namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;
using repository_keys::from_status;
using repository_keys::key;
using repository_keys::needs_row;
using repository_keys::view;

namespace repository_keys {

std::string key(table t, std::string_view a) {
  return std::string(1, static_cast<char>(t)).append(a);
}

std::string key(table t, std::string_view a, std::string_view b) {
  return key(t, a).append(1, '\0').append(b);
}

std::string key(table t, std::string_view a, std::string_view b, std::string_view c) {
  return key(t, a, b).append(1, '\0').append(c);
}

messages::error from_status(const rocksdb::Status& s) {
  const bool full = s.IsNoSpace();
  const auto code = full ? errc::disk_full : s.IsCorruption() ? errc::corrupt : errc::io_failed;
  return {code, "repository store: " + s.ToString()};
}

}  // namespace repository_keys

namespace {

// Of one page of referrers.
constexpr std::size_t referrer_bytes_max = std::size_t{1024} * 1024;
constexpr std::size_t referrers_seen_max = 10'000;

std::string tag_holder(std::string_view tag) {
  return std::string("t").append(tag);
}

std::string manifest_holder(std::string_view digest) {
  return std::string("m").append(digest);
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

}  // namespace

result<std::string>
rocks_repositories::get(const std::string& k, errc missing, std::string_view what) const {
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

result<void> rocks_repositories::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto s = db_->Write(options, &batch);
  return s.ok() ? result<void>{} : tl::unexpected(from_status(s));
}

result<void> rocks_repositories::each(
  const std::string& prefix,
  std::string_view from,
  const visitor& visit) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek(prefix + std::string(from)); it->Valid() && it->key().starts_with(prefix);
       it->Next()) {
    if (!visit(view(it->key()).substr(prefix.size()), it->value())) {
      return {};
    }
  }
  return it->status().ok() ? result<void>{} : tl::unexpected(from_status(it->status()));
}

result<void> rocks_repositories::check(
  std::string_view repository,
  const std::vector<reference>& references) const {
  for (const auto& r : references) {
    result<std::uint64_t> size = std::uint64_t{0};
    if (r.is_manifest) {
      size = manifest(repository, r.id).map([](const auto& m) { return m.size; });
    } else {
      size = blob(repository, r.id).map([](const auto& b) { return b.size; });
    }
    if (!size) {
      const auto code = size.error().code;
      return code == errc::blob_unknown || code == errc::manifest_unknown
               ? fail(errc::manifest_blob_unknown, "not in this repository: " + r.id.text)
               : tl::unexpected(size.error());
    }
    if (*size != r.size) {
      return fail(errc::manifest_invalid, "wrong size of " + r.id.text);
    }
  }
  return {};
}

result<void> rocks_repositories::leave_tag(
  rocksdb::WriteBatch& batch,
  std::string_view repository,
  std::string_view tag,
  std::string_view to,
  std::int64_t now_ms) {
  const auto was = get(key(table::tag, repository, tag), errc::manifest_unknown, "tag");
  if (!was) {
    return was.error().code == errc::manifest_unknown ? result<void>{}
                                                      : tl::unexpected(was.error());
  }
  if (*was == to) {
    return {};
  }
  batch.Delete(key(table::holder, repository, *was, tag_holder(tag)));
  const auto left = get(key(table::manifest, repository, *was), errc::manifest_unknown, "");
  auto record = left ? messages::unpack<manifest_record>(*left)
                     : result<manifest_record>(tl::unexpected(left.error()));
  if (record) {
    record->touched_ms = now_ms;
    batch.Put(key(table::manifest, repository, *was), messages::pack(*record));
  }
  return {};
}

result<void> rocks_repositories::put_manifest(std::string_view repository, const new_manifest& m) {
  const auto& id = m.record.digest;
  rocksdb::WriteBatch batch;
  batch.Put(key(table::manifest, repository, id), messages::pack(m.record));
  batch.Put(key(table::linked, id, std::string("m").append(repository)), "");
  needs_row needs;
  for (const auto& r : m.references) {
    needs.digests.push_back(r.id.text);
    batch.Put(key(table::holder, repository, r.id.text, manifest_holder(id)), "");
  }
  batch.Put(key(table::needs, repository, id), messages::pack(needs));
  if (!m.record.subject.empty()) {
    const referrer row{id, m.record.media_type, m.record.size, m.artifact_type, m.annotations};
    batch.Put(key(table::referrer, repository, m.record.subject, id), messages::pack(row));
  }
  const std::shared_lock lock(removal_);
  // Here and not before: what is needed cannot be collected while the lock is held.
  if (auto here = check(repository, m.references); !here) {
    return here;
  }
  if (!m.tag.empty()) {
    auto left = leave_tag(batch, repository, m.tag, id, m.record.touched_ms);
    if (!left) {
      return left;
    }
    batch.Put(key(table::tag, repository, m.tag), id);
    batch.Put(key(table::holder, repository, id, tag_holder(m.tag)), "");
  }
  found_again(digest{id}, batch);
  auto done = write(batch, true);
  SLIPWAY_FAILPOINT("repository.manifest.synced");
  return done;
}

result<manifest_record> rocks_repositories::manifest(std::string_view repository, const digest& d)
  const {
  if (is_lost(d)) {
    return fail(errc::manifest_unknown, "manifest unknown to this repository");
  }
  auto row = get(key(table::manifest, repository, d.text), errc::manifest_unknown, "manifest");
  return row ? messages::unpack<manifest_record>(*row) : tl::unexpected(row.error());
}

result<manifest_record> rocks_repositories::tagged(
  std::string_view repository,
  std::string_view tag) const {
  auto found = get(key(table::tag, repository, tag), errc::manifest_unknown, "tag");
  return found ? manifest(repository, digest{std::move(*found)}) : tl::unexpected(found.error());
}

bool rocks_repositories::holds_anything(std::string_view repository) const {
  bool any = false;
  for (const auto t : {table::blob, table::manifest}) {
    const auto looked = each(key(t, repository, ""), "", [&any](auto, const auto&) {
      any = true;
      return false;
    });
    any = any || !looked;
  }
  return any;
}

result<std::vector<std::string>> rocks_repositories::tags(
  std::string_view repository,
  std::string_view last,
  std::size_t count) const {
  std::vector<std::string> out;
  const auto listed = each(key(table::tag, repository, ""), last, [&](auto tag, const auto&) {
    if (out.size() < count && (last.empty() || tag != last)) {
      out.emplace_back(tag);
    }
    return out.size() < count;
  });
  if (!listed) {
    return tl::unexpected(listed.error());
  }
  if (out.empty() && !holds_anything(repository)) {
    return fail(errc::not_found, "repository name not known to registry");
  }
  return out;
}

result<referrer_page> rocks_repositories::referrers(
  std::string_view repository,
  const digest& d,
  std::string_view artifact_type,
  std::string_view last,
  std::size_t count) const {
  referrer_page out;
  auto failed = result<void>{};
  std::size_t bytes = 0;
  std::size_t seen = 0;
  const auto prefix = key(table::referrer, repository, d.text, "");
  const auto listed = each(prefix, last, [&](auto id, const rocksdb::Slice& value) {
    if (!last.empty() && id == last) {
      return true;
    }
    if (out.list.size() >= count || bytes >= referrer_bytes_max || seen++ >= referrers_seen_max) {
      out.more = true;
      return false;
    }
    out.last = id;
    auto row = messages::unpack<referrer>(view(value));
    if (!row) {
      failed = tl::unexpected(row.error());
      return false;
    }
    const bool wanted = artifact_type.empty() || row->artifact_type == artifact_type;
    if (wanted && !is_lost(digest{row->digest})) {
      bytes += row->annotations.size();
      out.list.push_back(std::move(*row));
    }
    return true;
  });
  if (!listed || !failed) {
    return tl::unexpected(listed ? failed.error() : listed.error());
  }
  return out;
}

result<std::vector<std::string>> rocks_repositories::repositories(
  std::string_view last,
  std::size_t count) const {
  std::vector<std::string> out;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(rocksdb::ReadOptions()));
  // A name's rows are next to each other, so one seek finds the name that follows.
  const auto next = [&](table t, const std::string& after) -> std::string {
    it->Seek(after.empty() ? key(t, "") : key(t, after) + '\1');
    if (!it->Valid() || it->key()[0] != static_cast<char>(t)) {
      return {};
    }
    const auto rest = view(it->key()).substr(1);
    return std::string(rest.substr(0, rest.find('\0')));
  };
  auto at = std::string(last);
  while (out.size() < count) {
    const auto a = next(table::manifest, at);
    const auto b = next(table::blob, at);
    at = a.empty() ? b : b.empty() ? a : std::min(a, b);
    if (at.empty()) {
      break;
    }
    out.push_back(at);
  }
  if (!it->status().ok()) {
    return tl::unexpected(from_status(it->status()));
  }
  return out;
}

result<void> rocks_repositories::drop_manifest(
  rocksdb::WriteBatch& batch,
  std::string_view repository,
  const manifest_record& m) {
  const auto& id = m.digest;
  const auto needs = get(key(table::needs, repository, id), errc::manifest_unknown, "");
  if (!needs && needs.error().code != errc::manifest_unknown) {
    return tl::unexpected(needs.error());
  }
  const auto row = needs ? messages::unpack<needs_row>(*needs) : result<needs_row>(needs_row{});
  if (!row) {
    return tl::unexpected(row.error());
  }
  for (const auto& d : row->digests) {
    batch.Delete(key(table::holder, repository, d, manifest_holder(id)));
  }
  const auto prefix = key(table::holder, repository, id, "t");
  auto tags = each(prefix, "", [&](auto tag, const auto&) {
    batch.Delete(prefix + std::string(tag));
    const auto k = key(table::tag, repository, tag);
    if (get(k, errc::manifest_unknown, "") == id) {
      batch.Delete(k);
    }
    return true;
  });
  batch.Delete(key(table::needs, repository, id));
  batch.Delete(key(table::manifest, repository, id));
  batch.Delete(key(table::linked, id, std::string("m").append(repository)));
  if (!m.subject.empty()) {
    batch.Delete(key(table::referrer, repository, m.subject, id));
  }
  return tags;
}

result<void> rocks_repositories::remove_manifest(std::string_view repository, const digest& d) {
  const std::unique_lock lock(removal_);
  const auto known = manifest(repository, d);
  if (!known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  auto dropped = drop_manifest(batch, repository, *known);
  return dropped ? write(batch, true) : dropped;
}

result<void> rocks_repositories::remove_tag(
  std::string_view repository,
  std::string_view tag,
  std::int64_t now_ms) {
  const std::unique_lock lock(removal_);
  const auto k = key(table::tag, repository, tag);
  if (auto known = get(k, errc::manifest_unknown, "tag"); !known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  auto left = leave_tag(batch, repository, tag, "", now_ms);
  batch.Delete(k);
  return left ? write(batch, true) : left;
}

result<void>
rocks_repositories::link_blob(std::string_view repository, const digest& d, const blob_record& b) {
  rocksdb::WriteBatch batch;
  batch.Put(key(table::blob, repository, d.text), messages::pack(b));
  batch.Put(key(table::linked, d.text, std::string("b").append(repository)), "");
  const std::shared_lock lock(removal_);
  found_again(d, batch);
  auto done = write(batch, true);
  SLIPWAY_FAILPOINT("repository.blob.synced");
  return done;
}

result<blob_record> rocks_repositories::blob(std::string_view repository, const digest& d) const {
  if (is_lost(d)) {
    return fail(errc::blob_unknown, "blob unknown to this repository");
  }
  auto row = get(key(table::blob, repository, d.text), errc::blob_unknown, "blob");
  return row ? messages::unpack<blob_record>(*row) : tl::unexpected(row.error());
}

result<void> rocks_repositories::unlink_blob(std::string_view repository, const digest& d) {
  const std::unique_lock lock(removal_);
  if (auto known = blob(repository, d); !known) {
    return tl::unexpected(known.error());
  }
  rocksdb::WriteBatch batch;
  batch.Delete(key(table::blob, repository, d.text));
  batch.Delete(key(table::linked, d.text, std::string("b").append(repository)));
  return write(batch, true);
}

result<void> rocks_repositories::put_upload(std::string_view id, const upload_record& u) {
  rocksdb::WriteBatch batch;
  batch.Put(key(table::upload, id), messages::pack(u));
  return write(batch, false);
}

result<upload_record> rocks_repositories::upload(std::string_view id) const {
  auto row = get(key(table::upload, id), errc::upload_unknown, "upload");
  return row ? messages::unpack<upload_record>(*row) : tl::unexpected(row.error());
}

result<void> rocks_repositories::remove_upload(std::string_view id) {
  rocksdb::WriteBatch batch;
  batch.Delete(key(table::upload, id));
  return write(batch, false);
}

result<std::vector<std::string>> rocks_repositories::uploads_before(
  std::int64_t ms,
  std::size_t count) const {
  std::vector<std::string> out;
  const auto listed = each(key(table::upload, ""), "", [&](auto id, const rocksdb::Slice& value) {
    const auto row = messages::unpack<upload_record>(view(value));
    if (out.size() < count && (!row || row->touched_ms < ms)) {
      out.emplace_back(id);
    }
    return out.size() < count;
  });
  return listed ? result<std::vector<std::string>>(std::move(out)) : tl::unexpected(listed.error());
}

result<std::unique_ptr<repository_store>> open_repository_store(const std::string& folder) {
  if (auto made = make_folder(folder); !made) {
    return tl::unexpected(messages::with_context("repository store", made.error()));
  }
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(database_options(), folder, &db);
  if (!s.ok()) {
    return tl::unexpected(from_status(s));
  }
  auto store = std::make_unique<rocks_repositories>(std::unique_ptr<rocksdb::DB>(db));
  if (auto loaded = store->load(); !loaded) {
    return tl::unexpected(loaded.error());
  }
  return store;
}

}  // namespace slipway::storage
