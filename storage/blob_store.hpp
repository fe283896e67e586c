#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::storage {

/// `sha256:` or `sha512:` and lower-case hex. Only `parse_digest` makes one from outside bytes.
struct digest {
  std::string text;
  friend bool operator==(const digest&, const digest&) = default;
  friend auto operator<=>(const digest&, const digest&) = default;
};
[[nodiscard]] messages::result<digest> parse_digest(std::string_view text);

/// A blob being read. Embedded blobs are files, so that a gateway can send them without copying.
class blob_reader {
public:
  virtual ~blob_reader() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  /// Reads up to `out.size()` bytes at `offset`; 0 = end.
  [[nodiscard]] virtual messages::result<std::size_t> read_at(
    std::uint64_t offset,
    std::span<char> out) = 0;
  /// File descriptor for sendfile(2), or -1 when the store is not made of files. Owned by the reader.
  [[nodiscard]] virtual int descriptor() const { return -1; }
};

/// A blob being received: bytes are appended, hashed on the way, and become visible only by `finish`.
class blob_writer {
public:
  virtual ~blob_writer() = default;
  /// Bytes received and kept so far, also by an earlier process.
  [[nodiscard]] virtual std::uint64_t offset() const = 0;
  /// Errors: disk_full, io_failed.
  [[nodiscard]] virtual messages::result<void> append(std::span<const char> bytes) = 0;
  /// Makes what was appended survive a crash, so that the client may be told the offset.
  [[nodiscard]] virtual messages::result<void> flush() = 0;
  /// Checks the digest, syncs data, renames into place, syncs the folder. Only then the blob exists.
  /// Errors: digest_invalid (the upload stays as it was), disk_full, io_failed.
  [[nodiscard]] virtual messages::result<void> finish(const digest& expected) = 0;
  /// The SHA-256 of what was appended so far, for a client that did not name one. Errors: io_failed.
  [[nodiscard]] virtual messages::result<digest> content() = 0;
  /// Drops the upload and its bytes.
  virtual void abort() = 0;
};

/// Content-addressed bytes, written once, shared by all repositories. Embedded: files. Cluster: S3-compatible.
class blob_store {
public:
  virtual ~blob_store() = default;
  [[nodiscard]] virtual messages::result<bool> exists(const digest& d) const = 0;
  /// Errors: blob_unknown.
  [[nodiscard]] virtual messages::result<std::unique_ptr<blob_reader>> open(
    const digest& d) const = 0;
  /// Small blobs in one step, such as manifests.
  [[nodiscard]] virtual messages::result<void> put(const digest& d, std::string_view bytes) = 0;
  [[nodiscard]] virtual messages::result<void> remove(const digest& d) = 0;
  /// All blobs in any order, until `visit` returns false. One that comes or goes meanwhile may be told of or not.
  [[nodiscard]] virtual messages::result<void> each(
    const std::function<bool(const digest&)>& visit) const = 0;
  /// At most `count` blobs in order of their digests, those after `after` ("" = from the start); fewer = the end.
  [[nodiscard]] virtual messages::result<std::vector<digest>> list(
    const digest& after,
    std::size_t count) const = 0;
  /// Takes a blob away whose bytes are wrong, and keeps them aside; false when it is not the one that `read` saw any more.
  [[nodiscard]] virtual messages::result<bool> quarantine(
    const digest& d,
    const blob_reader& read) = 0;

  /// Upload ids are 32 hex characters. `resume` finds what an earlier process left: errors upload_unknown.
  [[nodiscard]] virtual messages::result<std::unique_ptr<blob_writer>> begin(
    const std::string& upload) = 0;
  [[nodiscard]] virtual messages::result<std::unique_ptr<blob_writer>> resume(
    const std::string& upload) = 0;
};

}  // namespace slipway::storage
