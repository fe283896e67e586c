#pragma once

#include "messages/error.hpp"
#include "messages/value.hpp"

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

/// Errors: rule_violated.
[[nodiscard]] messages::result<semver> parse_semver(std::string_view text);

/// Is `a` an earlier version than `b`, by the precedence of semver.org 11? Build metadata does not count.
[[nodiscard]] bool precedes(const semver& a, const semver& b);

// Computed fields of a release row (balena-api.md 3.5).
[[nodiscard]] bool is_final(const messages::row& release);
/// `1.2.3-beta+build`
[[nodiscard]] std::string semver_text(const messages::row& release);
/// With `+rev<n>` and variant when final; with the creation time as prerelease when draft.
[[nodiscard]] std::string raw_version(const messages::row& release);
/// `{raw, major, minor, patch, prerelease: [], build: [], version}`
[[nodiscard]] messages::json_text version_json(const messages::row& release);

}  // namespace slipway::domain
