#pragma once

#include "domain/row_source.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace slipway::domain {

/// Rows of other entities that go before a user does, in this order: its memberships, and the organizations that nobody else is in.
/// Errors: rule_violated when the user may not go: the last administrator of the platform, the last administrator of an organization
/// with other members, the last member of one that still has fleets.
[[nodiscard]] messages::result<std::vector<std::pair<std::uint16_t, std::int64_t>>>
removed_before_user(const row_source& rows, std::int64_t user);

}  // namespace slipway::domain
