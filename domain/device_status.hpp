#pragma once

#include "domain/row_source.hpp"
#include "messages/value.hpp"

#include <string>

namespace slipway::domain {

// Computed fields of a device row.

/// The ladder of balena-api.md 3.6, v7 words.
[[nodiscard]] std::string overall_status(const messages::row& device, const row_source& rows);
/// The same ladder in the words of v6, which knows fewer.
[[nodiscard]] std::string overall_status_v6(const messages::row& device, const row_source& rows);
/// Percent, or null when nothing is going on.
[[nodiscard]] messages::value overall_progress(const messages::row& device, const row_source& rows);
/// The pin if any, else the fleet's target.
[[nodiscard]] messages::value should_be_running(
  const messages::row& device,
  const row_source& rows);

}  // namespace slipway::domain
