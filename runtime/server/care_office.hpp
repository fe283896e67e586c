#pragma once

#include "actors/blob_keepers.hpp"
#include "messages/error.hpp"
#include "runtime/server/storage_limits.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace slipway::runtime {

/// What looks after the images of a running server; outlives the socket.
struct registry_care {
  actors::blob_keepers& keepers;
  storage_limits& limits;
};

[[nodiscard]] bool is_care_command(std::string_view name);
/// Carries out what `slipwayd gc` and `slipwayd scrub` ask of a running server, as JSON: `{"command": "gc start", "dry_run": true}`,
/// `gc status`, `{"command": "gc items", "from": 100}` (at most 100 of the report's items), `scrub start`, `scrub status`, and
/// `organization storage` (storage_limits.hpp).
/// Errors: invalid_argument (no such command), conflict, timed_out.
[[nodiscard]] messages::result<nlohmann::json> run_care_command(
  const registry_care& care,
  const nlohmann::json& request);

}  // namespace slipway::runtime
