#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

/// Makes the engine of this machine trust the server's registry: `slipway deploy` and `balena deploy` push through it.
/// `folder` is where the engine looks for roots.
messages::result<void> trust_engine(context& c, const std::string& folder);

}  // namespace slipway::cli
