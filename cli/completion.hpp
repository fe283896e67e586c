#pragma once

#include "cli/app.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace slipway::cli {

/// A script that completes commands and options. Errors: invalid_argument for another shell than bash, zsh and fish.
messages::result<std::string> completion_script(
  std::string_view shell,
  const std::vector<command_description>& commands);

}  // namespace slipway::cli
