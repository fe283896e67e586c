#pragma once

#include "storage/posix_file.hpp"
#include "storage/source_index.hpp"
#include "storage/source_input.hpp"
#include "storage/source_tree.hpp"

#include <string>
#include <vector>

namespace slipway::storage {

/// Turns a tar that somebody sent into one of ours, in a file, and its index.
class source_receiver {
public:
  source_receiver(unique_fd file, const source_limits& limits);

  /// Errors as of source_tree::receive.
  [[nodiscard]] messages::result<void> run(const byte_source& from);

  // What it made, once it ran.
  unique_fd file;
  source_index index;
  std::uint64_t bytes = 0;

private:
  [[nodiscard]] messages::result<void> read_entries(source_input& in);
  [[nodiscard]] messages::result<void> take_entry(source_input& in, archive_entry* entry);
  [[nodiscard]] messages::result<void> take_hard_link(tar_entry entry, std::string_view to);
  [[nodiscard]] messages::result<void>
  take_content(source_input& in, const std::string& path, std::uint64_t size);
  [[nodiscard]] messages::result<void> add(tar_entry entry);
  [[nodiscard]] messages::result<std::uint64_t> begin(const tar_entry& entry);
  [[nodiscard]] messages::result<void> copy(std::uint64_t from, std::uint64_t size);

  // The file, written at its end through a buffer.
  [[nodiscard]] messages::result<void> write(std::string_view text);
  [[nodiscard]] messages::result<void> flush();
  [[nodiscard]] messages::result<void> put(std::uint64_t& offset, std::string_view text);
  [[nodiscard]] messages::result<void> skip(std::uint64_t zeros);

  source_limits limits_;
  std::size_t entries_ = 0;
  std::string buffer_;
  std::uint64_t asked_at_ = 0;  ///< bytes, when `go_on` was asked last
};

}  // namespace slipway::storage
