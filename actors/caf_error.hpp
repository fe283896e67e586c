#pragma once

#include "messages/error.hpp"

#include <caf/error.hpp>

namespace slipway::actors {

/// Our error as the value that crosses actors: category `slipway`, the code, the detail.
[[nodiscard]] caf::error to_caf(const messages::error& e);
/// And back. What CAF itself reports becomes timed_out (outcome unknown), unavailable (the actor is gone) or internal.
[[nodiscard]] messages::error from_caf(const caf::error& e);

}  // namespace slipway::actors
