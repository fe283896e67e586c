#pragma once

#include "storage/repository_store.hpp"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_set>

namespace slipway::storage {

/// Keys, docs/formats/blobs.md: a letter, then parts with a zero byte between them. No part holds a zero byte.
enum class table : char {
  manifest = 'm',
  tag = 't',
  blob = 'b',
  upload = 'u',
  needs = 'f',   ///< what a manifest refers to
  holder = 'e',  ///< the same the other way round, and tags
  referrer = 'r',
  linked = 'h',  ///< which repositories hold a blob or manifest
  forgotten = 'o',
  lost = 'q',
  note = 's',
};

/// `repository_store` on RocksDB. Two files: what requests need, and what the collector needs.
class rocks_repositories final : public repository_store {
public:
  using error = messages::error;
  template <class T>
  using result = messages::result<T>;

  explicit rocks_repositories(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}
  /// Reads which blobs are lost.
  [[nodiscard]] result<void> load();

  result<void> check(std::string_view repository, const std::vector<reference>& references)
    const override;
  result<void> put_manifest(std::string_view repository, const new_manifest& m) override;
  result<manifest_record> manifest(std::string_view repository, const digest& d) const override;
  result<manifest_record> tagged(std::string_view repository, std::string_view tag) const override;
  result<std::vector<std::string>>
  tags(std::string_view repository, std::string_view last, std::size_t count) const override;
  result<referrer_page> referrers(
    std::string_view repository,
    const digest& d,
    std::string_view artifact_type,
    std::string_view last,
    std::size_t count) const override;
  result<std::vector<std::string>> repositories(std::string_view last, std::size_t count)
    const override;
  result<void> remove_manifest(std::string_view repository, const digest& d) override;
  result<void> remove_tag(std::string_view repository, std::string_view tag, std::int64_t now_ms)
    override;
  result<void> link_blob(std::string_view repository, const digest& d, const blob_record& b)
    override;
  result<blob_record> blob(std::string_view repository, const digest& d) const override;
  result<void> unlink_blob(std::string_view repository, const digest& d) override;
  result<void> touch_blob(std::string_view repository, const digest& d, std::int64_t now_ms)
    override;
  result<void> touch_manifest(std::string_view repository, const digest& d, std::int64_t now_ms)
    override;
  result<void> put_upload(std::string_view id, const upload_record& u) override;
  result<upload_record> upload(std::string_view id) const override;
  result<void> remove_upload(std::string_view id) override;
  result<std::vector<std::string>> uploads_before(std::int64_t ms, std::size_t count)
    const override;

  result<std::vector<held_item>> manifests_after(std::string& cursor, std::size_t count)
    const override;
  result<std::vector<held_item>> blobs_after(std::string& cursor, std::size_t count) const override;
  result<std::vector<std::string>>
  holders(std::string_view repository, const digest& d, std::size_t count) const override;
  result<std::size_t> links(const digest& d, std::size_t max) const override;
  result<std::vector<std::string>> linked_by(const digest& d, std::size_t count) const override;
  result<std::vector<held_item>> collect_manifests(
    const std::vector<held_item>& candidates,
    std::int64_t before_ms,
    bool whole_repository) override;
  result<std::vector<held_item>> collect_blobs(
    const std::vector<held_item>& candidates,
    std::int64_t before_ms,
    bool whole_repository) override;
  result<void> sync() override;
  result<std::int64_t> forgotten_since(std::string_view repository) const override;
  result<void> set_forgotten_since(std::string_view repository, std::int64_t ms) override;
  result<void> set_lost(const digest& d, bool lost) override;
  result<std::string> note(std::string_view name) const override;
  result<void> set_note(std::string_view name, std::string_view text) override;

private:
  /// Return false to stop.
  using visitor = std::function<bool(std::string_view rest, const rocksdb::Slice& value)>;

  result<std::string> get(const std::string& k, messages::errc missing, std::string_view what)
    const;
  result<void> write(rocksdb::WriteBatch& batch, bool sync);
  /// All keys that begin with `prefix`, from `prefix` + `from` on.
  result<void> each(const std::string& prefix, std::string_view from, const visitor& visit) const;
  template <class Record>
  result<std::vector<held_item>> held_after(table of, std::string& cursor, std::size_t count) const;
  [[nodiscard]] bool is_lost(const digest& d) const;
  void found_again(const digest& d, rocksdb::WriteBatch& batch);
  /// Everything that goes with a manifest, its tags too.
  result<void>
  drop_manifest(rocksdb::WriteBatch& batch, std::string_view repository, const manifest_record& m);
  /// The manifest that `tag` leaves, unless it is `to`, waits anew for its collection.
  result<void> leave_tag(
    rocksdb::WriteBatch& batch,
    std::string_view repository,
    std::string_view tag,
    std::string_view to,
    std::int64_t now_ms);
  [[nodiscard]] bool holds_anything(std::string_view repository) const;

  std::unique_ptr<rocksdb::DB> db_;
  /// Removals look and then write, so they exclude the writes they look for; those share.
  mutable std::shared_mutex removal_;
  mutable std::mutex lost_mutex_;
  std::unordered_set<std::string> lost_;
  std::atomic<std::size_t> lost_count_{0};
};

namespace repository_keys {
[[nodiscard]] std::string key(table t, std::string_view a);
[[nodiscard]] std::string key(table t, std::string_view a, std::string_view b);
[[nodiscard]] std::string key(table t, std::string_view a, std::string_view b, std::string_view c);
/// What a manifest refers to; members may be added.
struct needs_row {
  std::vector<std::string> digests;
  SLIPWAY_FIELDS(digests)
};
[[nodiscard]] messages::error from_status(const rocksdb::Status& s);
[[nodiscard]] inline std::string_view view(const rocksdb::Slice& s) {
  return {s.data(), s.size()};
}
}  // namespace repository_keys

}  // namespace slipway::storage
