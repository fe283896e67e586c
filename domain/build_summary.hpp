#pragma once

#include "messages/build.hpp"

#include <span>
#include <string>
#include <vector>

namespace slipway::domain {

/// The table at the end of a build, for people: a line per service with the size of its image and how long it took.
[[nodiscard]] std::vector<std::string> build_summary(
  std::span<const messages::service_progress> services);

}  // namespace slipway::domain
