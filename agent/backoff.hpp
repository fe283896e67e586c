#pragma once

#include <algorithm>
#include <chrono>

namespace slipway::agent {

using milliseconds = std::chrono::milliseconds;

/// min(most, first * 2^failures): the pause after so many failures in a row, counted from 0.
[[nodiscard]] constexpr milliseconds
backoff(milliseconds first, milliseconds most, unsigned failures) {
  const auto shift = std::min(failures, 20U);
  return std::min(most, first * (1 << shift));
}

}  // namespace slipway::agent
