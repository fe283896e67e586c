#pragma once

#include "cli/console.hpp"
#include "cli/settings.hpp"

#include <iosfwd>
#include <string>
#include <vector>

namespace slipway::cli {

/// One command in words, for completions and for the checks of the documentation.
struct command_description {
  std::string path;                      ///< `fleet create`, "" = the program itself
  std::string about;                     ///< one line
  std::vector<std::string> options;      ///< `--type`, long names
  std::vector<std::string> subcommands;  ///< last word of each
};

/// Every command, parents before children.
std::vector<command_description> describe_commands();

/// Runs one command line, without the program's name. Never throws; answers the exit code.
int run(
  std::vector<std::string> arguments,
  const environment& env,
  const console::options& terminal,
  std::ostream& out,
  std::ostream& error);

}  // namespace slipway::cli
