#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace slipway::cli {

/// Files of a folder as a tar that is made while it is read: its memory does not grow with them. Owners become 0, links stay links.
class tar_stream {
public:
  enum class packing { plain, gzip };

  /// `paths` are relative to `folder`, parents before children.
  tar_stream(std::filesystem::path folder, std::vector<std::string> paths, packing how);
  tar_stream(tar_stream&&) noexcept;
  ~tar_stream();

  /// `text` in the place of what the file of that path holds; its mode and time stay. A link becomes a file.
  void replace(std::string path, std::string text);
  /// A file of the tar that the folder does not hold; comes after all others.
  void add_text(std::string path, std::string text);

  /// The next bytes, 0 at the end, -1 when a file cannot be read: `failure` says which.
  [[nodiscard]] std::ptrdiff_t read(char* to, std::size_t size);
  [[nodiscard]] const std::optional<messages::error>& failure() const;
  /// Of the files that were packed so far.
  [[nodiscard]] std::int64_t source_bytes() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::cli
