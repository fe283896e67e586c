#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace slipway::gateways::git {

/// What a repository takes of the disk.
struct repository_usage {
  std::uint64_t bytes = 0;  ///< of all files, what pushes under way have received too
  std::size_t packs = 0;
  std::size_t loose_refs = 0;  ///< a file each
};
[[nodiscard]] repository_usage usage_of(const std::string& repository);

/// Refs of all kinds. Errors: not_found, corrupt, io_failed.
[[nodiscard]] messages::result<std::size_t> count_refs(const std::string& repository);

}  // namespace slipway::gateways::git
