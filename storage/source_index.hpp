#pragma once

#include "messages/error.hpp"
#include "storage/source_tree.hpp"
#include "storage/tar_format.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Which paths a source holds, and the rules that make it harmless (docs/formats/source.md).
namespace slipway::storage {

/// `./a//b/` -> `a/b`; "" = the root. Errors: invalid_argument (absolute, climbing, not UTF-8), too_large.
[[nodiscard]] messages::result<std::string> source_path(
  std::string_view written,
  const source_limits& limits);

/// Text of a path for errors: no control characters, not long.
[[nodiscard]] std::string shown(std::string_view path);

class source_index {
public:
  struct node {
    tar_kind kind = tar_kind::folder;
    std::uint16_t mode = 0755;
    std::int64_t mtime = 0;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;  ///< of the content in the file
    std::string target;
  };
  using map = std::map<std::string, node, std::less<>>;

  explicit source_index(const source_limits& limits) : limits_(limits) {}

  /// Adds an entry whose path is normal; one that is there is replaced. Folders above it that nobody named come into being.
  /// Errors: invalid_argument (a link out of the tree, a path through a link or a file, a folder that is a file too), too_large.
  [[nodiscard]] messages::result<void> add(tar_entry entry, std::uint64_t offset);

  [[nodiscard]] const map& nodes() const { return nodes_; }
  /// Null when there is none.
  [[nodiscard]] const node* find(std::string_view path) const;
  /// Where a path leads once links are followed; "" = the root. nullopt when nothing is there.
  [[nodiscard]] std::optional<std::string> resolve(std::string_view path) const;
  /// Names of files right in a folder, and of links to files; sorted.
  [[nodiscard]] std::vector<std::string> list(std::string_view folder) const;

private:
  [[nodiscard]] messages::result<void> add_folders_above(const std::string& path);
  [[nodiscard]] messages::result<void> count(std::size_t bytes);

  source_limits limits_;
  map nodes_;
  std::size_t path_bytes_ = 0;
};

}  // namespace slipway::storage
