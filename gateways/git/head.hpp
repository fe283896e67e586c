#pragma once

#include "messages/error.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways::git {

/// The refs whose pushes build releases, the preferred first: the one that the fleet names, else `main` and `master`.
[[nodiscard]] std::vector<std::string> release_refs(std::string_view release_branch);

/// Makes HEAD, the branch that a clone checks out, the first of these refs that exists, else the first. Errors: corrupt, io_failed.
[[nodiscard]] messages::result<void> point_head(
  const std::string& repository,
  std::span<const std::string> refs);

}  // namespace slipway::gateways::git
