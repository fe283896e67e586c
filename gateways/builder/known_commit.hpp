#pragma once

#include "domain/row_source.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace slipway::gateways::builder {

/// What becomes of a push whose commit has a successful release: a fleet has one of each commit at most, so nothing is built.
struct known_commit {
  /// The branch would be at another release than the one that a fleet that tracks the latest runs.
  bool refused = false;
  std::string text;  ///< for the pusher
};
/// Nothing when the commit is to be built.
[[nodiscard]] std::optional<known_commit>
find_known_commit(const domain::row_source& rows, std::int64_t fleet, const std::string& commit);

}  // namespace slipway::gateways::builder
