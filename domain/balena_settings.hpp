#pragma once

#include "domain/file_notes.hpp"
#include "domain/project_plan.hpp"
#include "messages/build.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// The folder `.balena` (or `.resin`) of a project: what only its builds know (balena-api.md 5.3). It never goes to an image.
namespace slipway::domain {

constexpr std::size_t registry_secrets_max = 64;
constexpr std::size_t registry_username_bytes_max = 1'024;
constexpr std::size_t registry_password_bytes_max = 64U * 1024U;
constexpr std::size_t build_secrets_max = 100;

using build_variables = std::map<std::string, std::string, std::less<>>;

struct balena_settings {
  build_variables variables;  ///< of all services
  std::map<std::string, build_variables, std::less<>> service_variables;
  std::vector<messages::build_secret> secrets;  ///< their files exist
  std::vector<messages::registry_secret> registries;
};

/// Faults go to `notes`; none of them quotes a secret.
[[nodiscard]] balena_settings read_balena_settings(const project_files& files, file_notes& notes);

/// `https://index.docker.io/v1/` for each name that the public hub had, `host[:port]` for all others. "" = not a registry.
[[nodiscard]] std::string registry_key(std::string_view written);

}  // namespace slipway::domain
