#pragma once

#include "cli/context.hpp"

#include <string>
#include <vector>

namespace slipway::cli {

struct push_args {
  std::string fleet;  ///< "" = the only one there is
  std::string path = ".";
  bool draft = false;
  bool no_cache = false;
  bool detached = false;
  bool emulated = false;
  bool multi_dockerignore = false;
  std::string dockerfile;  ///< relative to the project, "" = by the rules
  std::string note;
  std::string registry_secrets;   ///< file, "" = none
  std::vector<std::string> tags;  ///< key, value, key, value, ...
};

/// Sends a project to the server's builder and shows the build (docs/protocols/builder.md). What ends early is cancelled on the server: by
/// Ctrl-C, by a lost connection.
messages::result<void> push(context& c, const push_args& args);

}  // namespace slipway::cli
