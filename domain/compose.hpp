#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::domain {

/// Services of one project; more are refused.
constexpr std::size_t compose_services_max = 64;
constexpr std::size_t service_name_characters_max = 63;

/// How a service's image is built. Paths are relative to the project and stay inside it.
struct compose_build {
  std::string context = ".";
  std::string dockerfile;  ///< relative to the context, "" = the engine's default
  std::string target;      ///< stage, "" = the last
  std::vector<std::pair<std::string, std::string>> args;
};

/// One service, as much of it as building and pushing needs. The rest is in the composition's JSON.
struct compose_service {
  std::string name;
  std::optional<compose_build> build;
  std::string image;  ///< reference to pull, used when there is no `build`
  std::vector<std::pair<std::string, std::string>> labels;
  int line = 0;  ///< of its body in the file
};

/// A project that passed every check.
struct composition {
  /// What a release carries: `version`, `services`, `networks`, `volumes`; maps for environment and labels, objects for
  /// builds, and only the keys that devices understand.
  nlohmann::json json;
  std::vector<compose_service> services;  ///< in the order of the file
  std::vector<std::string> warnings;      ///< `file:line: text`: what is left out, and why
};

/// Reads a compose file of version 2 or 3 (docs/formats/compose.md). Untrusted input.
/// Errors: invalid_argument or too_large; the detail has a line `file:line: text` for each fault, 20 at most.
messages::result<composition> parse_compose(std::string_view text, std::string_view file);

/// What a project with nothing but a Dockerfile means: one service `main` that has the run of the device
/// (balena-api.md 6.4).
composition default_composition();

/// A path below some folder: no drive, no root, no way up.
bool inside_project(std::string_view path);

/// Letters, digits, `_`, `.`, `-`, starting with a letter or digit: what an engine takes as a container name.
bool valid_service_name(std::string_view name);

}  // namespace slipway::domain
