#pragma once

#include "messages/fields.hpp"
#include "storage/blob_store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::storage {

/// A manifest as a repository knows it; its bytes are a blob.
struct manifest_record {
  std::string digest;
  std::string media_type;
  std::uint64_t size = 0;
  std::int64_t touched_ms =
    0;                  ///< last pushed, tagged, untagged, or asked for by somebody who may push
  std::string subject;  ///< digest of the manifest that it says something about, "" if none
  SLIPWAY_FIELDS(digest, media_type, size, touched_ms, subject)
};

/// A blob that may be read through a repository.
struct blob_record {
  std::uint64_t size = 0;
  std::int64_t touched_ms = 0;  ///< last pushed, mounted, or asked for by somebody who may push
  SLIPWAY_FIELDS(size, touched_ms)
};

/// What a manifest needs in its repository.
struct reference {
  digest id;
  std::uint64_t size = 0;
  bool is_manifest = false;
};

/// A manifest to be recorded, with what it says about itself.
struct new_manifest {
  manifest_record record;
  std::string tag = {};  ///< to point at it, "" = none
  std::vector<reference> references = {};
  // Told in the list of its subject's referrers.
  std::string artifact_type = {};
  std::string annotations = {};  ///< a JSON object, "" = none
};

/// A manifest that says something about another one.
struct referrer {
  std::string digest;
  std::string media_type;
  std::uint64_t size = 0;
  std::string artifact_type;
  std::string annotations;
  SLIPWAY_FIELDS(digest, media_type, size, artifact_type, annotations)
};

/// Some of the referrers of a manifest. `last` is where the next page goes on, also when nothing of this one fits the filter.
struct referrer_page {
  std::vector<referrer> list;
  std::string last;
  bool more = false;
};

/// An upload that some process began; its bytes are in the blob store.
struct upload_record {
  std::string repository;
  std::int64_t touched_ms = 0;
  SLIPWAY_FIELDS(repository, touched_ms)
};

/// Something in a repository, as the collector meets it.
struct held_item {
  std::string repository;
  digest id;
  std::uint64_t size = 0;
  std::int64_t touched_ms = 0;
  std::string subject = {};  ///< of a manifest
};

/// What each image repository holds: manifests, tags, the blobs that may be read through it, and uploads under way.
/// A change is durable once it answered, unless said otherwise. Callable from any thread. ADR 36, ADR 77.
class repository_store {
public:
  virtual ~repository_store() = default;

  /// Whether all of these are in the repository. Errors: manifest_blob_unknown, manifest_invalid (another size).
  [[nodiscard]] virtual messages::result<void> check(
    std::string_view repository,
    const std::vector<reference>& references) const = 0;
  /// Records the manifest and, unless empty, points the tag at it, in one step; nothing that it needs goes meanwhile. Errors as `check`.
  [[nodiscard]] virtual messages::result<void> put_manifest(
    std::string_view repository,
    const new_manifest& m) = 0;
  /// Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<manifest_record> manifest(
    std::string_view repository,
    const digest& d) const = 0;
  /// Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<manifest_record> tagged(
    std::string_view repository,
    std::string_view tag) const = 0;
  /// At most `count` tags in lexical order, those after `last`. Errors: not_found when the repository holds nothing at all.
  [[nodiscard]] virtual messages::result<std::vector<std::string>>
  tags(std::string_view repository, std::string_view last, std::size_t count) const = 0;
  /// Manifests whose subject is `d`, in order of their digests, after `last`; "" as type takes all. At most `count`, and no more after
  /// a megabyte of annotations or 10,000 that do not fit the filter.
  [[nodiscard]] virtual messages::result<referrer_page> referrers(
    std::string_view repository,
    const digest& d,
    std::string_view artifact_type,
    std::string_view last,
    std::size_t count) const = 0;
  /// Repositories that hold a manifest or a blob, in lexical order, after `last`, at most `count`.
  [[nodiscard]] virtual messages::result<std::vector<std::string>> repositories(
    std::string_view last,
    std::size_t count) const = 0;
  /// Removes the manifest and every tag that points at it. Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<void> remove_manifest(
    std::string_view repository,
    const digest& d) = 0;
  /// What the tag pointed at counts as touched. Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<void>
  remove_tag(std::string_view repository, std::string_view tag, std::int64_t now_ms) = 0;

  /// The repository may serve the blob from now on.
  [[nodiscard]] virtual messages::result<void>
  link_blob(std::string_view repository, const digest& d, const blob_record& b) = 0;
  /// Errors: blob_unknown.
  [[nodiscard]] virtual messages::result<blob_record> blob(
    std::string_view repository,
    const digest& d) const = 0;
  /// Errors: blob_unknown.
  [[nodiscard]] virtual messages::result<void> unlink_blob(
    std::string_view repository,
    const digest& d) = 0;

  /// Somebody relies on it: the collector waits anew. Survives the death of the process only. Errors: blob_unknown, manifest_unknown.
  [[nodiscard]] virtual messages::result<void>
  touch_blob(std::string_view repository, const digest& d, std::int64_t now_ms) = 0;
  [[nodiscard]] virtual messages::result<void>
  touch_manifest(std::string_view repository, const digest& d, std::int64_t now_ms) = 0;

  /// Survives the death of the process, not that of the machine: the bytes of an unfinished upload do no more.
  [[nodiscard]] virtual messages::result<void> put_upload(
    std::string_view id,
    const upload_record& u) = 0;
  /// Errors: upload_unknown.
  [[nodiscard]] virtual messages::result<upload_record> upload(std::string_view id) const = 0;
  [[nodiscard]] virtual messages::result<void> remove_upload(std::string_view id) = 0;
  /// Ids of uploads last touched before `ms`, at most `count`.
  [[nodiscard]] virtual messages::result<std::vector<std::string>> uploads_before(
    std::int64_t ms,
    std::size_t count) const = 0;

  // For the collector (storage/collector.hpp).

  /// At most `count` manifests or blobs of all repositories, those after `cursor` ("" = from the start), which then tells where it is.
  /// Fewer than `count` = the end.
  [[nodiscard]] virtual messages::result<std::vector<held_item>> manifests_after(
    std::string& cursor,
    std::size_t count) const = 0;
  [[nodiscard]] virtual messages::result<std::vector<held_item>> blobs_after(
    std::string& cursor,
    std::size_t count) const = 0;
  /// Who needs this manifest or blob of the repository: `t` and a tag, or `m` and the digest of a manifest that refers to it. At most
  /// `count`.
  [[nodiscard]] virtual messages::result<std::vector<std::string>>
  holders(std::string_view repository, const digest& d, std::size_t count) const = 0;
  /// In how many repositories it is, as a blob or as a manifest; counts up to `max`.
  [[nodiscard]] virtual messages::result<std::size_t> links(const digest& d, std::size_t max)
    const = 0;
  /// Repositories where a blob is linked, at most `count`.
  [[nodiscard]] virtual messages::result<std::vector<std::string>> linked_by(
    const digest& d,
    std::size_t count) const = 0;
  /// Looks again, with all changes held back, and removes those not touched since `before_ms` that nobody needs; with `whole_repository`
  /// also those that are needed, with their tags. Answers which went. Durable after `sync`.
  [[nodiscard]] virtual messages::result<std::vector<held_item>> collect_manifests(
    const std::vector<held_item>& candidates,
    std::int64_t before_ms,
    bool whole_repository) = 0;
  [[nodiscard]] virtual messages::result<std::vector<held_item>> collect_blobs(
    const std::vector<held_item>& candidates,
    std::int64_t before_ms,
    bool whole_repository) = 0;
  [[nodiscard]] virtual messages::result<void> sync() = 0;

  /// Since when nobody knows a repository, ms; 0 = it is known. Errors: io_failed.
  [[nodiscard]] virtual messages::result<std::int64_t> forgotten_since(
    std::string_view repository) const = 0;
  [[nodiscard]] virtual messages::result<void> set_forgotten_since(
    std::string_view repository,
    std::int64_t ms) = 0;

  /// Lost: the bytes are not there, though repositories link them. They count as unknown until they are pushed again.
  [[nodiscard]] virtual messages::result<void> set_lost(const digest& d, bool lost) = 0;

  /// Small texts of the store's keepers, such as where the scrubber is; "" = none.
  [[nodiscard]] virtual messages::result<std::string> note(std::string_view name) const = 0;
  [[nodiscard]] virtual messages::result<void> set_note(
    std::string_view name,
    std::string_view text) = 0;
};

/// The embedded one: a small RocksDB of its own in `folder`. Errors: io_failed, corrupt.
[[nodiscard]] messages::result<std::unique_ptr<repository_store>> open_repository_store(
  const std::string& folder);

}  // namespace slipway::storage
