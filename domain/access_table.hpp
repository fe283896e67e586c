#pragma once

#include "domain/schema.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace slipway::domain {

enum class verb : std::uint8_t { create, change, remove };

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
  push_image,       ///< image, application (sources to its builder)
  make_key,         ///< an API key: user, application, device
};

/// The one table of rights: what a requester of some standing may do with rows of some group of resources. All questions of `access`,
/// docs/permissions.md and the test that walks the matrix are answered from it (ADR 53).
namespace rights {

/// What somebody is to a row.
enum class standing : std::uint8_t {
  platform,       ///< administrator of the platform
  administrator,  ///< of the row's organization or fleet; so the next four
  developer,
  operator_,
  observer,
  member,
  own,           ///< the user whose row it is, in a login session
  own_by_key,    ///< the same by an API key
  fellow,        ///< a user who shares an organization with the user of the row
  device,        ///< the key of the device whose row it is
  fleet_device,  ///< the key of a device of the fleet whose row it is
  provisioning,  ///< a provisioning key of the fleet whose row it is
  anybody,       ///< on the catalog and on rows of public fleets, also without a credential
};
constexpr std::size_t standing_count = 13;

/// Resources that are treated alike.
enum class group : std::uint8_t {
  catalog,
  users,
  sessions,
  ssh_keys,
  api_keys,
  organizations,
  members,
  fleet_members,
  invitations,
  fleets,
  releases,
  builds,
  fleet_settings,
  devices,
  installs,
  device_settings,
  device_configuration,
  device_tags,
  internal,
};
constexpr std::size_t group_count = 19;

/// One bit per thing that may be done: seeing, the verbs, the actions.
using set = std::uint32_t;
constexpr set see = 1;
constexpr set bit(verb v) {
  return set{2} << static_cast<unsigned>(v);
}
constexpr set bit(action a) {
  return set{16} << static_cast<unsigned>(a);
}
constexpr set everything = ~set{0};
/// What is left of any right to a key that only reads.
constexpr set reading = see | bit(action::read_state) | bit(action::read_logs)
                        | bit(action::inspect) | bit(action::pull_image);

[[nodiscard]] set of(group g, standing s);
/// `internal`, which only the platform sees, for a resource that the table does not name.
[[nodiscard]] group group_of(std::uint16_t resource);

// For documents and tests.
struct group_line {
  group of;
  std::string_view name;
  std::string_view resources;                          ///< names, separated by spaces
  std::array<std::string_view, standing_count> verbs;  ///< letters of create, see, update, remove
};
struct action_line {
  action of;
  std::string_view name;
  group on;
  std::string_view resource;
  std::string_view standings;  ///< letters, as in `standing_letters`
  std::string_view means;
};
[[nodiscard]] std::span<const group_line> groups();
[[nodiscard]] std::span<const action_line> actions();
[[nodiscard]] std::string_view name(standing s);
/// Of `action_line::standings`, in the order of `standing`.
constexpr std::string_view standing_letters = "PADOVMuksdfpx";
}  // namespace rights
}  // namespace slipway::domain
