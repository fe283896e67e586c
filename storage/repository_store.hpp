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
  SLIPWAY_FIELDS(digest, media_type, size)
};

/// An upload that some process began; its bytes are in the blob store.
struct upload_record {
  std::string repository;
  std::int64_t touched_ms = 0;
  SLIPWAY_FIELDS(repository, touched_ms)
};

/// What each image repository holds: manifests, tags, the blobs that may be read through it, and uploads under way.
/// A change is durable once it answered, unless said otherwise. Callable from any thread. ADR 36.
class repository_store {
public:
  virtual ~repository_store() = default;

  /// Records the manifest and, unless empty, points `tag` at it, in one step.
  [[nodiscard]] virtual messages::result<void> put_manifest(
    std::string_view repository,
    const manifest_record& manifest,
    std::string_view tag) = 0;
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
  /// Removes the manifest and every tag that points at it. Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<void> remove_manifest(
    std::string_view repository,
    const digest& d) = 0;
  /// Errors: manifest_unknown.
  [[nodiscard]] virtual messages::result<void> remove_tag(
    std::string_view repository,
    std::string_view tag) = 0;

  /// The repository may serve the blob from now on.
  [[nodiscard]] virtual messages::result<void>
  link_blob(std::string_view repository, const digest& d, std::uint64_t size) = 0;
  /// Errors: blob_unknown.
  [[nodiscard]] virtual messages::result<std::uint64_t> blob_size(
    std::string_view repository,
    const digest& d) const = 0;
  /// Errors: blob_unknown.
  [[nodiscard]] virtual messages::result<void> unlink_blob(
    std::string_view repository,
    const digest& d) = 0;

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
};

/// The embedded one: a small RocksDB of its own in `folder`. Errors: io_failed, corrupt.
[[nodiscard]] messages::result<std::unique_ptr<repository_store>> open_repository_store(
  const std::string& folder);

}  // namespace slipway::storage
