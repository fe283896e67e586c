#pragma once

#include "cli/api.hpp"
#include "cli/console.hpp"
#include "cli/settings.hpp"

namespace slipway::cli {

/// What every command works with.
struct context {
  console& out;
  settings& saved;
  const environment& env;
  api& server;
  std::string trusted = {};  ///< PEM of the root that the server is trusted by; "" = the system's
  bool interrupted = false;  ///< Ctrl-C ended the command: its exit code says so
};

}  // namespace slipway::cli
