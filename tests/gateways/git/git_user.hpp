#pragma once

#include <string>

namespace slipway::tests {

/// Runs a command line in a shell, with a git that knows no configuration but has a name. What it printed; fails the test if it fails.
std::string shell(const std::string& command);

}  // namespace slipway::tests
