#pragma once

#include "domain/row_source.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <utility>
#include <vector>

/// What goes with a row, and what may not go at all: the one place for both, whoever asks and on whichever way.
namespace slipway::domain {

/// Resource and id.
using row_refs = std::vector<std::pair<std::uint16_t, std::int64_t>>;

/// Rows of other entities that go with one. Whoever may remove the one may remove these, so the platform does it for him.
struct removal {
  /// Must be gone before: the devices of a fleet; the memberships of a user, and the organizations that nobody else is in.
  row_refs first;
  /// Mean nothing any more once it is gone: the roles on an organization's fleets and teams of a member who left it. What a crash leaves
  /// of these goes at the next start (`left_over_roles`).
  row_refs after;
};

/// Looks before anything is touched. Errors: rule_violated when the row may not go: the last administrator of the platform or of an
/// organization; a user who is the last member of an organization that has fleets; a block that host applications need.
[[nodiscard]] messages::result<removal>
removal_of(const row_source& rows, std::uint16_t resource, std::int64_t id);

/// Is this user the only administrator of the platform?
[[nodiscard]] bool is_last_administrator(const row_source& rows, const messages::row& user);

/// Errors: rule_violated when this membership is that of an organization's only administrator.
[[nodiscard]] messages::result<void> check_leaves_administrator(
  const row_source& rows,
  const messages::row& membership);

/// Roles on fleets and in teams of users who are not members of the organization. They count for nothing (ADR 55), but would again if
/// the user came back.
[[nodiscard]] row_refs left_over_roles(const row_source& rows);

}  // namespace slipway::domain
