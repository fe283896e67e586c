#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The one form of tar that sources are kept and sent in: ustar, with a pax header before what does not fit (docs/formats/source.md).
namespace slipway::storage {

constexpr std::size_t tar_block_bytes = 512;
/// The end of an archive: two blocks of zeros.
constexpr std::size_t tar_end_bytes = 2 * tar_block_bytes;

enum class tar_kind : char { file = '0', link = '2', folder = '5' };

struct tar_entry {
  tar_kind kind = tar_kind::file;
  std::uint16_t mode = 0;  ///< permissions
  std::int64_t mtime = 0;  ///< seconds since 1970, never negative
  std::uint64_t size = 0;  ///< of a file
  std::string path;        ///< relative, normal
  std::string target;      ///< of a link
};

/// Bytes between the end of a file's content and the next block.
[[nodiscard]] constexpr std::uint64_t tar_padding(std::uint64_t size) {
  return (tar_block_bytes - size % tar_block_bytes) % tar_block_bytes;
}

/// The blocks before the content of an entry.
[[nodiscard]] std::string tar_header(const tar_entry& entry);

/// Walks over a tar in a file that `tar_header` wrote. Contents are not read.
class tar_walk {
public:
  struct item {
    tar_entry entry;
    std::uint64_t offset = 0;  ///< of its content in the file
  };

  tar_walk(int fd, std::uint64_t file_bytes) : fd_(fd), file_bytes_(file_bytes) {}

  /// nullopt at the end. Errors: corrupt, io_failed.
  [[nodiscard]] messages::result<std::optional<item>> next();
  /// Behind what was walked over.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

private:
  [[nodiscard]] messages::result<std::string_view> take(std::size_t bytes);

  int fd_;
  std::uint64_t file_bytes_;
  std::uint64_t offset_ = 0;
  std::vector<char> window_;
  std::uint64_t window_offset_ = 0;
};

}  // namespace slipway::storage
