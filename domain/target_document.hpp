#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/error.hpp"

#include <string>
#include <vector>

namespace slipway::domain {

/// What a device should run, as `GET /device/v3/<uuid>/state` answers it (balena-api.md 8.4). Errors: not_found.
[[nodiscard]] messages::result<std::string> device_target(
  const row_source& rows,
  std::int64_t device);

/// Applications besides its fleet whose changes alter what the device is told: its host, its supervisor, the blocks that update them.
[[nodiscard]] std::vector<std::int64_t> hosts_in_target(
  const row_source& rows,
  const messages::row& device);

/// How often the device is told to ask, ms.
[[nodiscard]] std::int64_t poll_interval_ms(const row_source& rows, const messages::row& device);

/// What a new device of the fleet would be told, of its target release or of `commit` (8.5). Errors: not_found.
[[nodiscard]] messages::result<std::string>
fleet_target(const row_source& rows, std::int64_t application, const std::string& commit);

/// Devices ask at least this often unless a variable says otherwise.
constexpr std::int64_t poll_interval_ms_default = 600'000;

}  // namespace slipway::domain
