#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/entity.hpp"
#include "messages/error.hpp"
#include "messages/requester.hpp"

#include <optional>
#include <span>
#include <unordered_map>

namespace slipway::domain {

enum class verb { create, change, remove };

/// What is neither reading nor writing a row, and on rows of which resource it is asked.
enum class action : std::uint8_t {
  read_state,       ///< the target state, with the values of variables: device, application
  report_state,     ///< what a device says of itself: device
  register_device,  ///< application
  read_logs,        ///< device
  write_logs,       ///< device
  inspect,  ///< ask a device's supervisor without changing anything (GET): device, application (all its devices)
  control,  ///< restart, reboot, purge, services, and all that changes what a device does: device, application
  tunnel,           ///< a byte stream to a port or shell of a device: device
  download_config,  ///< the configuration of new devices, with a provisioning key: application
  pull_image,       ///< image
  push_image,       ///< image
};

/// Who may see and change what: the one place that decides it. Rows a requester may not see do not exist for it.
///
/// | requester | sees | changes |
/// | --- | --- | --- |
/// | user | itself, its organizations and all under them, public applications without their variables, the catalog | all of these but the catalog and public things of others |
/// | administrator | everything | everything; creates users |
/// | provisioning key | devices of its fleet (to take up a device's identity again) | nothing but registration |
/// | device key | itself, what its fleet runs, the catalog | itself, its tags, variables and installs |
/// | guest | the catalog, public applications without their variables | nothing |
class access {
public:
  /// Valid while `rows` is; caches what it found out.
  access(const schema& model, const messages::requester& by, const row_source& rows)
    : model_(model), by_(by), rows_(rows) {}

  [[nodiscard]] bool may_see(const resource_def& resource, const messages::row& r) const;
  /// `r` is the row as it is, or as it would be created. Errors: unauthorized.
  [[nodiscard]] messages::result<void>
  may(verb v, const resource_def& resource, const messages::row& r) const;
  /// For a change: may these fields be changed? Errors: unauthorized.
  [[nodiscard]] messages::result<void> may_change_fields(
    const resource_def& resource,
    std::span<const messages::field_value> values) const;
  /// May this be done to a row that the requester sees? On rows it does not see, and on other resources than the action's, never.
  [[nodiscard]] bool may_do(action a, const resource_def& resource, const messages::row& r) const;
  /// May an API key be made for this user, fleet or device? A user's own keys only by a login session; a device's also by a provisioning
  /// key of its fleet, so that a device whose key was lost can take up its identity again.
  [[nodiscard]] bool may_make_key(messages::entity_ref owner) const;
  /// Ids of `resource` that could be visible, when there are few to name; all others certainly are not.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> candidates(
    const resource_def& resource) const;

private:
  enum class right { none, see, change };
  [[nodiscard]] right right_on(const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] right user_right(const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] right device_right(const resource_def& resource, const messages::row& r) const;
  [[nodiscard]] right right_on_application(std::int64_t application) const;
  /// Of a row of a fleet's stream.
  [[nodiscard]] right right_through_application(
    const resource_def& resource,
    const messages::row& r) const;
  [[nodiscard]] right compute_right_on_application(std::int64_t application) const;
  [[nodiscard]] right right_on_actor(std::int64_t actor) const;
  [[nodiscard]] bool is_member(std::int64_t organization) const;
  /// The application a row belongs to, through its device if it must; 0 = none.
  [[nodiscard]] std::int64_t application_of(const resource_def& resource, const messages::row& r)
    const;
  [[nodiscard]] std::int64_t fleet_of_device() const;

  const schema& model_;
  const messages::requester& by_;
  const row_source& rows_;
  mutable std::unordered_map<std::int64_t, right> application_rights_;
  mutable std::unordered_map<std::int64_t, std::int64_t> device_application_;
};

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

/// Which entity writes this row.
[[nodiscard]] std::optional<messages::entity_ref> entity_of(
  const schema& model,
  const resource_def& resource,
  const messages::row& r,
  const row_source& rows);

}  // namespace slipway::domain
