#pragma once

#include "domain/semver.hpp"
#include "messages/value.hpp"

#include <string>

namespace slipway::domain {

// Computed fields of a release row (balena-api.md 3.5).
[[nodiscard]] bool is_final(const messages::row& release);
/// `1.2.3-beta+build`
[[nodiscard]] std::string semver_text(const messages::row& release);
/// With `+rev<n>` and variant when final; with the creation time as prerelease when draft.
[[nodiscard]] std::string raw_version(const messages::row& release);
/// `{raw, major, minor, patch, prerelease: [], build: [], version}`
[[nodiscard]] messages::json_text version_json(const messages::row& release);

}  // namespace slipway::domain
