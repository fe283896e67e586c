#pragma once

#include "domain/compose.hpp"

#include <filesystem>
#include <string>

namespace slipway::cli {

/// A folder to deploy.
struct project {
  std::filesystem::path folder;
  std::string name;  ///< of the folder, fit for image names
  domain::composition composition;
  nlohmann::json contract;  ///< of balena.yml, null if there is none
  std::string semver;       ///< its `version`, "" if none
};

/// Reads `docker-compose.yml` (or `.yaml`), else takes a lone Dockerfile as the one service `main`. A path to a compose file
/// itself works too. Errors: not_found, invalid_argument with a line for each fault.
messages::result<project> read_project(const std::filesystem::path& path);

}  // namespace slipway::cli
