#pragma once

#include "domain/row_source.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace slipway::domain {

/// Image rows of a release, each with the name of its service.
[[nodiscard]] std::vector<std::pair<std::string, messages::row>> images_of_release(
  const row_source& rows,
  std::int64_t release);

}  // namespace slipway::domain
