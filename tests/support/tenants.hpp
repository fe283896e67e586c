#pragma once

#include "tests/support/installation.hpp"

#include <map>
#include <string>
#include <vector>

namespace slipway::tests {

/// Everybody there is: an organization with a member of every role, two of its fleets with a member of every role, another user with an
/// organization, fleet and device of his own, a platform administrator, and a row of every resource on the side of the first.
class tenants {
public:
  tenants();

  installation i;
  std::int64_t root, owner, mia, bob;
  std::int64_t organization, fleet, second_fleet, other_fleet;
  std::int64_t release, other_release;
  std::int64_t device, sibling, stranger;

  /// Users by the role they have on the organization.
  std::map<std::string, std::int64_t> by_organization_role;
  /// Users who only belong to the organization, by the role they have on `fleet`.
  std::map<std::string, std::int64_t> by_fleet_role;

  /// A row of every resource, of `organization`, `fleet`, `device` or of mia, who only belongs to the organization.
  std::map<std::string, std::int64_t> sample;
  /// Further rows of API keys: of the fleet and of the device.
  std::int64_t fleet_key = 0, device_key = 0;

private:
  void given_members();
  void given_of_organization();
  void given_of_fleet();
  void given_of_release();
  void given_of_device();
  void given_of_user();
  void given_of_catalog();
  std::int64_t given_key(messages::entity_ref of, std::int64_t actor, const std::string& hash);
  [[nodiscard]] std::int64_t role(const char* resource, const std::string& name) const;
};

/// What one requester is to the rows of `sample`.
struct asker {
  std::string who;
  messages::requester by;
  messages::role on_organization = messages::role::none;
  messages::role on_fleet = messages::role::none;
  bool is_mia = false;
};
[[nodiscard]] std::vector<asker> askers(const tenants& t);

}  // namespace slipway::tests
