#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The source of a build: a tar that a client sent, made harmless (docs/formats/source.md, ADR 86).
namespace slipway::storage {

struct source_limits {
  std::uint64_t bytes_max = 8ULL << 30U;  ///< unpacked
  std::size_t entries_max = 200'000;
  std::size_t path_bytes_max = 1024;
  std::size_t paths_bytes_max = 64U << 20U;  ///< of all entries: they are held in memory
  std::size_t text_bytes_max = 1U << 20U;    ///< of a file that is read as text
  /// May more be written? Asked for each further 64 MiB; an error of it ends the reception. Unset = always.
  std::function<messages::result<void>()> go_on = {};
};

/// Where bytes come from: fills the buffer, returns bytes, 0 = end, -1 = give up.
using byte_source = std::function<std::ptrdiff_t(char*, std::size_t)>;

/// A normalized, plain tar in a file of our own, with an index of it in memory. Regular files, folders and symbolic links that stay
/// inside only; owners 0; no duplicates (the last one wins). Used by one thread at a time.
class source_tree {
public:
  /// Reads a tar, plain, gzip or zstd, and writes it to `file` (created, 0600; removed again on an error). Blocks.
  /// Errors: invalid_argument (not a tar; absolute or climbing paths, links out of the tree, devices, names that are not UTF-8),
  /// too_large (a limit, named), disk_full, io_failed (also when the source gave up).
  [[nodiscard]] static messages::result<std::unique_ptr<source_tree>>
  receive(const byte_source& from, const std::string& file, const source_limits& limits = {});
  /// Opens a file that `receive` wrote, trusted as far as its form goes. Errors: not_found, corrupt, io_failed.
  [[nodiscard]] static messages::result<std::unique_ptr<source_tree>> open(
    const std::string& file,
    const source_limits& limits = {});
  virtual ~source_tree() = default;

  [[nodiscard]] virtual std::size_t entries() const = 0;
  [[nodiscard]] virtual std::uint64_t bytes() const = 0;  ///< of the tar
  /// Text of a regular file, links followed inside the tree. Errors: too_large.
  [[nodiscard]] virtual messages::result<std::optional<std::string>> read(
    std::string_view path) const = 0;
  /// Names of regular files right in a folder, "" = the root, sorted.
  [[nodiscard]] virtual std::vector<std::string> list(std::string_view folder) const = 0;

  /// What an engine builds one service from.
  struct context {
    std::string folder;  ///< "" = the root
    /// True leaves a path (relative to the folder) out.
    std::function<bool(std::string_view path)> excludes;
    /// Files put in the place of what the tree holds, by path relative to the folder: the Dockerfile with its template filled in.
    std::vector<std::pair<std::string, std::string>> replaced;
  };
  /// A tar of that folder as a stream, to be read once; the tree must outlive it. `.git`, `.balena` and `.resin` of the root never go along.
  [[nodiscard]] virtual byte_source stream(context c) const = 0;
};

}  // namespace slipway::storage
