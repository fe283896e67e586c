#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// A semantic version taken apart (semver.org 2.0).
struct semver {
  std::int64_t major = 0, minor = 0, patch = 0;
  std::string prerelease;  ///< without '-'
  std::string build;       ///< without '+'
  friend bool operator==(const semver&, const semver&) = default;
};

/// Parts between dots.
[[nodiscard]] std::vector<std::string> identifiers(std::string_view text);

/// Errors: rule_violated.
[[nodiscard]] messages::result<semver> parse_semver(std::string_view text);

/// Is `a` an earlier version than `b`, by the precedence of semver.org 11? Build metadata does not count.
[[nodiscard]] bool precedes(const semver& a, const semver& b);

}  // namespace slipway::domain
