#pragma once

#include "storage/source_tree.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

struct archive;
struct archive_entry;

namespace slipway::storage {

/// The error of a project that unpacks to more than its limit.
[[nodiscard]] messages::error unpacks_to_more_than(std::uint64_t bytes_max);

/// A tar from anybody, plain or packed once, as libarchive reads it. In two steps, so that what is unpacked can be counted while libarchive is
/// inside a header: there it takes memory for whatever comes (a sparse map has no end of its own) and asks nobody.
class source_input {
public:
  /// What libarchive may go through for one entry's headers: long names, extended attributes, a sparse map.
  static constexpr std::size_t header_bytes_max = 1U << 20U;

  source_input(const byte_source& from, std::uint64_t bytes_max);
  ~source_input();
  source_input(const source_input&) = delete;
  source_input& operator=(const source_input&) = delete;

  /// The next entry, valid until the one after it; nullptr at the end.
  /// Errors: invalid_argument (not a tar, a name that is not UTF-8), too_large (unpacked, or one header), io_failed (the source gave up).
  [[nodiscard]] messages::result<archive_entry*> next();

  struct block {
    std::string_view bytes;  ///< valid until the next call
    std::uint64_t offset = 0;
  };
  /// The next piece of the entry's content, in order; nothing at its end. Errors as of `next`.
  [[nodiscard]] messages::result<std::optional<block>> content();

  /// Reads what follows the archive, up to a limit, to throw it away: tars are padded.
  void drain();

private:
  struct free_archive {
    void operator()(archive* a) const;
  };
  using reader = std::unique_ptr<archive, free_archive>;

  bool open();
  [[nodiscard]] std::optional<std::ptrdiff_t> unpack(const void** bytes);
  bool refuse(messages::error why);  ///< false
  [[nodiscard]] messages::error error() const;
  static std::ptrdiff_t read_packed(archive* a, void* self, const void** bytes);
  static std::ptrdiff_t read_unpacked(archive* a, void* self, const void** bytes);

  const byte_source& from_;
  std::uint64_t bytes_max_;
  std::vector<char> buffer_;
  std::size_t ahead_ = 0;  ///< bytes in the buffer that were read to see how they are packed
  reader packed_;          ///< takes the packing off
  reader tar_;
  bool is_open_ = false;
  bool in_header_ = false;
  std::uint64_t given_ = 0;  ///< unpacked bytes that the tar's reader got
  std::uint64_t header_from_ = 0;
  std::optional<messages::error> refused_;
};

}  // namespace slipway::storage
