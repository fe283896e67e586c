#pragma once

#include "domain/access_table.hpp"
#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/entity.hpp"
#include "messages/error.hpp"
#include "messages/requester.hpp"

#include <optional>
#include <span>
#include <unordered_map>

namespace slipway::domain {

/// Who may see, change and do what: the one place that decides it, from the table in `access_table.hpp` (docs/permissions.md). Rows a
/// requester may not see do not exist for it.
class access {
public:
  /// Valid while `rows` is; caches what it found out.
  access(const schema& model, const messages::requester& by, const row_source& rows)
    : model_(model), by_(by), rows_(rows) {}

  [[nodiscard]] bool may_see(const resource_def& resource, const messages::row& r) const {
    return (rights_on(resource, r) & rights::see) != 0;
  }
  /// `r` is the row as it is, or as it would be created. Errors: unauthorized.
  [[nodiscard]] messages::result<void>
  may(verb v, const resource_def& resource, const messages::row& r) const;
  /// For a change of `r`: may these fields be changed? Errors: unauthorized.
  [[nodiscard]] messages::result<void> may_change_fields(
    const resource_def& resource,
    const messages::row& r,
    std::span<const messages::field_value> values) const;
  /// May this be done to a row? On other resources than the action's, never.
  [[nodiscard]] bool may_do(action a, const resource_def& resource, const messages::row& r) const;
  /// May an API key be made for this user, fleet or device? A user's own keys only by a login session; a device's also by a provisioning
  /// key of its fleet, so that a device whose key was lost can take up its identity again.
  [[nodiscard]] bool may_make_key(messages::entity_ref owner) const;
  /// Ids of `resource` that could be visible, when there are few to name; all others certainly are not.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> candidates(
    const resource_def& resource) const;

private:
  [[nodiscard]] rights::set rights_on(const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] rights::set
  of_user(rights::group g, const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] rights::set
  of_administrator(rights::group g, const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] rights::set
  of_device(rights::group g, const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] rights::set
  of_provisioning_key(rights::group g, const resource_def& resource, const messages::row& r) const;
  /// What the requester is to the row as the user whose it is; 0 when it is not that user.
  [[nodiscard]] rights::set
  as_owner(rights::group g, const resource_def& resource, const messages::row& r) const;
  /// By the role on the organization, fleet or device that the row is of.
  [[nodiscard]] rights::set
  by_role(rights::group g, const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] rights::set by_role_on_actor(rights::group g, std::int64_t actor) const;
  [[nodiscard]] rights::set on_invitee(std::int64_t invitee) const;
  [[nodiscard]] rights::set on_application(rights::group g, std::int64_t application) const;
  [[nodiscard]] bool is_fellow(std::int64_t user) const;
  /// The application a row belongs to, through its device if it must; 0 = none.
  [[nodiscard]] std::int64_t application_of(const resource_def& resource, const messages::row& r)
    const;
  [[nodiscard]] std::int64_t application_of_device(std::int64_t device) const;
  [[nodiscard]] std::vector<std::int64_t> visible_devices() const;

  /// What the requester is to an application.
  struct relation {
    messages::role as = messages::role::none;
    bool is_public = false;
  };
  [[nodiscard]] relation relation_to(std::int64_t application) const;

  const schema& model_;
  const messages::requester& by_;
  const row_source& rows_;
  mutable std::unordered_map<std::int64_t, relation> applications_;
  mutable std::unordered_map<std::int64_t, std::int64_t> device_application_;
  mutable std::unordered_map<std::int64_t, bool> fellows_;
};

/// The highest role among memberships of this organization or fleet.
[[nodiscard]] messages::role role_in(
  const std::vector<messages::membership>& memberships,
  std::int64_t of);

/// The role that counts on a fleet of this organization: the higher one of that on the organization and that on the fleet itself.
[[nodiscard]] messages::role
role_on(const messages::requester& by, std::int64_t organization, std::int64_t application);

/// The id at the end of a resource's `root_path` (the row's own id for a root); nullopt when the path is broken.
[[nodiscard]] std::optional<std::int64_t> root_id(
  const schema& model,
  const resource_def& resource,
  const messages::row& r,
  const row_source& rows);

/// Which entity writes the rows of an actor's keys: the user, fleet or device whose actor it is.
[[nodiscard]] std::optional<messages::entity_ref> entity_of_actor(
  std::int64_t actor,
  const row_source& rows);

/// The key that a device may open its overlay session with; "" = none. It has one as long as it has an API key: taking the last one away
/// shuts it out everywhere.
[[nodiscard]] std::string overlay_key_of(const messages::row& device, const row_source& rows);

/// Which entity writes this row.
[[nodiscard]] std::optional<messages::entity_ref> entity_of(
  const schema& model,
  const resource_def& resource,
  const messages::row& r,
  const row_source& rows);

}  // namespace slipway::domain
