#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace slipway::gateways::git {

struct tar_limits {
  std::uint64_t bytes_max = 8ULL << 30U;         ///< of all files
  std::uint64_t file_bytes_max = 512ULL << 20U;  ///< of one, which is held in memory
  std::size_t entries_max = 200'000;
  std::size_t path_bytes_max = 1024;
  std::size_t depth_max = 128;
};

/// The tree of a commit as a tar, read straight from the object store: no checkout. Files with their executable bit, symbolic links and
/// folders; times are the commit's. A submodule is an empty folder and a warning. A file that Git LFS keeps elsewhere makes it fail, with
/// the names of all such files.
class commit_tar {
public:
  struct options {
    std::string repository;
    /// Object folder of a push that is not accepted yet (git-receive-pack, "Quarantine Environment"); "" = none.
    std::string quarantine;
    std::string commit;  ///< 40 hex, or what else names a commit, such as a tag
    tar_limits limits = {};
    std::function<void(const std::string& line)> warn = {};
  };
  /// Errors: not_found, invalid_argument (not a commit), corrupt.
  [[nodiscard]] static messages::result<std::unique_ptr<commit_tar>> open(options o);
  virtual ~commit_tar() = default;

  /// The next bytes: 0 = end, -1 = it failed.
  [[nodiscard]] virtual std::ptrdiff_t read(char* out, std::size_t n) = 0;
  /// Why it failed. Errors: too_large (a limit, named), unsupported (Git LFS), corrupt.
  [[nodiscard]] virtual const std::optional<messages::error>& failure() const = 0;
  /// The commit's own name, 40 hex.
  [[nodiscard]] virtual const std::string& commit() const = 0;
};

}  // namespace slipway::gateways::git
