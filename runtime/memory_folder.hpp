#pragma once

#include "messages/error.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace slipway::runtime {

/// Where this machine may have folders that are kept in memory; who may write there differs.
[[nodiscard]] std::vector<std::filesystem::path> memory_folders();

/// Makes an empty folder `name` for this user alone, in the first of `places` that is in memory and lets us, else in `otherwise`. What an
/// earlier life left under that name in any of them is removed; what is not ours is left alone. Errors: io_failed.
[[nodiscard]] messages::result<std::filesystem::path> make_memory_folder(
  const std::vector<std::filesystem::path>& places,
  const std::string& name,
  const std::filesystem::path& otherwise);

}  // namespace slipway::runtime
