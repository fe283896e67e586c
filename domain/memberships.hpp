#pragma once

#include "domain/row_source.hpp"
#include "messages/requester.hpp"

#include <optional>

/// What the rows say of who somebody is: roles from memberships, and what a key was narrowed to.
namespace slipway::domain {

/// The role of a row of organization_membership_role or application_membership_role; none when there is no such row.
[[nodiscard]] messages::role
role_of(const row_source& rows, std::uint16_t role_resource, std::int64_t id);

/// The row of `organization_membership_role` or `application_membership_role` for a role, 0 = none.
[[nodiscard]] std::int64_t
row_of_role(const row_source& rows, std::uint16_t role_resource, messages::role r);

/// Why a provisioning key is refused that has no use left.
constexpr auto key_used_up = "the provisioning key has registered as many devices as it may";

/// What this user is as a requester: its roles on organizations, and on fleets of these by memberships of its own or of its teams.
/// nullopt = no such user.
[[nodiscard]] std::optional<messages::requester> requester_of_user(
  const row_source& rows,
  std::int64_t user);

/// Leaves of a user's roles what the scope of its key names.
void narrow(messages::requester& by, const messages::key_scope& scope, const row_source& rows);

/// As kept on the row of a key: `{"readOnly": true, "organizations": [1], "applications": [2]}`, null = not narrowed. What does not
/// read as one is taken for a scope that leaves nothing.
[[nodiscard]] messages::key_scope scope_of(const messages::value& stored);
[[nodiscard]] messages::value stored_scope(const messages::key_scope& scope);

}  // namespace slipway::domain
