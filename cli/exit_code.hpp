#pragma once

#include "messages/error.hpp"

namespace slipway::cli {

/// What scripts can rely on; documented in docs/cli.md.
enum exit_code : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,         ///< the command line makes no sense
  exit_no_login = 3,      ///< not logged in, or no right to do that
  exit_not_found = 4,     ///< no such fleet, device, release, file
  exit_unreachable = 5,   ///< the server or the container engine does not answer
  exit_exists = 6,        ///< the name is taken
  exit_interrupted = 130  ///< Ctrl-C
};

int exit_code_of(messages::errc code);

/// What the user may do about it, "" when there is nothing to add.
const char* hint_of(messages::errc code);

}  // namespace slipway::cli
