#pragma once

#include "runtime/overlay/session_host.hpp"

#include <caf/fwd.hpp>

#include <memory>

namespace slipway::actors {

/// The sessions of an edge: one actor per device that is connected or has notices waiting. `port` outlives it.
/// An actor that holds nothing any more says so and is let go, unless a message to it was on the way.
[[nodiscard]] std::unique_ptr<runtime::session_host> make_session_host(
  caf::actor_system& system,
  runtime::session_port& port);

}  // namespace slipway::actors
