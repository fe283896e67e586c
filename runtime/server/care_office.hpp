#pragma once

#include "actors/blob_keepers.hpp"
#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

namespace slipway::runtime {

/// Carries out what `slipwayd gc` and `slipwayd scrub` ask of a running server, as JSON: `{"command": "gc start", "dry_run": true}`,
/// `gc status`, `{"command": "gc items", "from": 100}` (at most 100 of the report's items), `scrub start`, `scrub status`.
/// Errors: invalid_argument (no such command), conflict, timed_out.
[[nodiscard]] messages::result<nlohmann::json> run_care_command(
  actors::blob_keepers& keepers,
  const nlohmann::json& request);

}  // namespace slipway::runtime
