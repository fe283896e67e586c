#pragma once

#include "cli/context.hpp"

#include <cstdint>
#include <string>

namespace slipway::cli {

messages::result<void> organization_list(context& c);
messages::result<void> organization_create(context& c, const std::string& name);
messages::result<void>
organization_rename(context& c, const std::string& handle, const std::string& name);
messages::result<void> organization_remove(context& c, const std::string& handle, bool yes);

/// Whose members: exactly one of both, a handle or a fleet.
struct membership_target {
  std::string organization;
  std::string fleet;
};

/// Roles are administrator, developer, operator and observer, in organizations member too (docs/permissions.md).
messages::result<void> member_list(context& c, const membership_target& t);
messages::result<void> member_add(
  context& c,
  const membership_target& t,
  const std::string& user,
  const std::string& role);
messages::result<void> member_role(
  context& c,
  const membership_target& t,
  const std::string& user,
  const std::string& role);
messages::result<void>
member_remove(context& c, const membership_target& t, const std::string& user, bool yes);

/// Invites by e-mail address. Nothing is mailed: the answer is the token that the inviter hands on.
messages::result<void> invite_create(
  context& c,
  const membership_target& t,
  const std::string& email,
  const std::string& role);
messages::result<void> invite_list(context& c, const membership_target& t);
messages::result<void> invite_revoke(context& c, const membership_target& t, std::int64_t id);
/// The token is read from a file; "-" is stdin.
messages::result<void> invite_accept(context& c, const std::string& token_file);

}  // namespace slipway::cli
