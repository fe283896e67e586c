#pragma once

#include "messages/build.hpp"
#include "messages/error.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How the files of a project say what to build (docs/formats/project.md; balena-api.md 5.3).
namespace slipway::domain {

/// Limits; past one the project is refused (`too_large`) with its name.
constexpr std::size_t dockerfile_bytes_max = 256U * 1024U;
/// A composition and a contract, as rows carry them.
constexpr std::size_t composition_bytes_max = 1'000'000;
/// Everything that a plan says, of all services: it is one message to a worker.
constexpr std::size_t plan_bytes_max = 4U << 20U;

/// What a project is built for.
struct project_target {
  std::string device_type;   ///< slug
  std::string architecture;  ///< slug
  std::string fleet;         ///< name, for template variables
  std::string release;       ///< commit, for template variables
  std::string
    dockerfile_path;  ///< asked for by the client, relative to the root; "" = by the rules
  /// Compose file asked for by the client, a name in the root; "" = by the rules.
  std::string compose_file;
  /// False: what a project says whatever it is built for. Dockerfiles are neither chosen nor read.
  bool device_known = true;
  bool multi_dockerignore = false;  ///< each service's own `.dockerignore` counts, not the root's
  /// Who sent the source has left out what is ignored, as `balena push` does: nothing more is left out (ADR 85).
  bool filtered = false;
  bool multicontainer = true;  ///< the fleet's type supports several services
  /// Build variables of the fleet: arguments of every service, below what the project itself says.
  std::vector<messages::name_value> variables;
};

/// The project's files as a plan sees them. Paths are relative, normal, with `/` between their parts. Untrusted.
struct project_files {
  /// Text of a regular file, nullopt when there is none. Errors: too_large.
  std::function<messages::result<std::optional<std::string>>(std::string_view path)> read;
  /// Names of regular files right in a folder, "" = the root, sorted.
  std::function<std::vector<std::string>(std::string_view folder)> list;
};

/// Reads compose file, Dockerfiles, templates, contracts, `.balena/` and `.dockerignore`s. Pure but for `files`.
/// Errors: invalid_argument or too_large, with a line `file:line: text` for each fault; not_found when it is no project.
[[nodiscard]] messages::result<messages::build_plan> plan_project(
  const project_files& files,
  const project_target& target);

/// Which Dockerfile of a context builds for that device: `<named>.<device type>`, `<named>.<architecture>`, `<named>.template`,
/// `<named>`; "Dockerfile" when none is named. `exists` is asked for paths within the context. Errors: not_found.
[[nodiscard]] messages::result<std::string> choose_dockerfile(
  const std::function<bool(std::string_view)>& exists,
  std::string_view named,
  std::string_view device_type,
  std::string_view architecture);

}  // namespace slipway::domain
