#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

struct deploy_args {
  std::string fleet;
  std::string path = ".";
  bool draft = false;
  std::string note;
  std::string engine;  ///< "" = DOCKER_HOST, else unix:///var/run/docker.sock
  bool no_cache = false;
};

/// Builds every service of a project with the local engine, pushes the images and creates the release, in the order of
/// balena-api.md 6.1. What fails after the release exists is marked `failed` on the server, what is interrupted `cancelled`.
messages::result<void> deploy(context& c, const deploy_args& args);

}  // namespace slipway::cli
