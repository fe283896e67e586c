#pragma once

#include "domain/project_plan.hpp"

#include <filesystem>
#include <string>

namespace slipway::cli {

/// A folder to deploy.
struct project {
  std::filesystem::path folder;
  std::string name;           ///< of the folder, fit for image names
  std::string compose_file;   ///< in the folder, "" = by the rules
  messages::build_plan plan;  ///< Dockerfiles are open until it is known what is built for
};

/// Reads what a project says whatever it is built for (docs/formats/project.md). A path to a compose file itself works too.
/// Errors: not_found, invalid_argument or too_large with a line for each fault.
messages::result<project> read_project(const std::filesystem::path& path);

/// Plans it anew for what it is built for, with the rules of the server's builder; each service's folder has its own `.dockerignore`.
/// Errors: as `read_project`; unsupported when it has build secrets.
messages::result<void> plan_for(project& p, domain::project_target target);

}  // namespace slipway::cli
