#pragma once

#include "domain/file_notes.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace slipway::domain {

/// What `balena.yml` at the root of a project says of its release (balena-api.md 6.5).
struct release_contract {
  nlohmann::json json;
  std::string semver;  ///< its `version`, "" = none
};

/// Faults go to `notes`, with their lines: not a map, `type` other than sw.application or sw.block, a version that is no semantic one.
[[nodiscard]] release_contract
read_release_contract(std::string_view text, std::string_view file, file_notes& notes);

/// What `contract.yml` in a service's folder says of its image: a map of type sw.container with a name and a slug.
[[nodiscard]] nlohmann::json
read_service_contract(std::string_view text, std::string_view file, file_notes& notes);

}  // namespace slipway::domain
