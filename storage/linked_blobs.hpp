#pragma once

#include "storage/blob_store.hpp"
#include "storage/repository_store.hpp"

#include <array>
#include <cstdint>
#include <shared_mutex>
#include <string_view>

namespace slipway::storage {

/// The one place where blobs come under repositories and where they go. What links a blob shares a lock with the others that do, what
/// removes one has it alone, so no blob is removed between being found or stored and being linked. The locks are 64, by digest: a
/// removal holds up one push in 64, for as long as an unlink takes. ADR 77.
class linked_blobs {
public:
  linked_blobs(blob_store& blobs, repository_store& repositories)
    : blobs_(blobs), repositories_(repositories) {}

  /// Finishes the upload and links the blob. Errors as `blob_writer::finish` and `link_blob`.
  [[nodiscard]] messages::result<void>
  finish(blob_writer& writer, std::string_view repository, const digest& d, std::int64_t now_ms);
  /// Links a blob of `from` into `to`; its size. Errors: blob_unknown (not in `from`).
  [[nodiscard]] messages::result<std::uint64_t>
  mount(std::string_view from, std::string_view to, const digest& d, std::int64_t now_ms);
  /// Stores the bytes, whose digest is the record's, and records the manifest.
  [[nodiscard]] messages::result<void>
  put_manifest(std::string_view repository, const new_manifest& m, std::string_view bytes);

  /// Removes a blob that no repository links; false when one does, or is about to. The changes that unlinked it must be durable.
  [[nodiscard]] messages::result<bool> remove_unless_linked(const digest& d);
  /// Takes a rotten blob away: from now on repositories do not know it. False when it was replaced meanwhile.
  [[nodiscard]] messages::result<bool> quarantine(const digest& d, const blob_reader& read);

private:
  static constexpr std::size_t shards = 64;
  [[nodiscard]] std::shared_mutex& lock_of(const digest& d);

  blob_store& blobs_;
  repository_store& repositories_;
  std::array<std::shared_mutex, shards> locks_;
};

}  // namespace slipway::storage
