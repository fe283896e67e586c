#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace slipway::runtime {

/// Where this machine may have folders that are kept in memory; who may write there differs.
[[nodiscard]] std::vector<std::filesystem::path> memory_folders();

/// The beginning, with `name`, of the paths of folders that hold secrets for a short time: in the first of `places` that is in memory and
/// lets us write, else in `otherwise`. Folders of that beginning that an earlier life left in any of them are removed; what is not ours
/// is left alone.
[[nodiscard]] std::string memory_prefix(
  const std::vector<std::filesystem::path>& places,
  const std::string& name,
  const std::filesystem::path& otherwise);

}  // namespace slipway::runtime
