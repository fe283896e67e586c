#include "domain/access_table.hpp"

#include "domain/resource_model.hpp"

#include <vector>

namespace slipway::domain::rights {
namespace {

// clang-format off
constexpr std::array group_table{
  group_line{group::catalog, "catalog",
    "cpu_architecture device_type device_type_alias device_family device_manufacturer application_type"
    " organization_membership_role application_membership_role",
  //  platf.  admin.  devel.  oper.   observ  member  own     by key  fellow  device  fleet's provis  anybody
     {"csur", "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "s"}},
  group_line{group::users, "users",
    "user",
     {"csur", "-",    "-",    "-",    "-",    "-",    "su",   "s",    "s",    "-",    "-",    "-",    "-"}},
  group_line{group::sessions, "sessions",
    "login_session",
     {"sr",   "-",    "-",    "-",    "-",    "-",    "sr",   "-",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::ssh_keys, "SSH keys",
    "user_public_key",
     {"csur", "-",    "-",    "-",    "-",    "-",    "csur", "csur", "-",    "-",    "-",    "-",    "-"}},
  group_line{group::api_keys, "API keys",
    "api_key",
  //  platf.  admin.  devel.  oper.   observ  member  own     by key  fellow  device  fleet's provis  anybody
     {"sur",  "sur",  "sur",  "sur",  "-",    "-",    "sur",  "s",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::organizations, "organizations",
    "organization",
     {"csur", "sur",  "s",    "s",    "s",    "s",    "c",    "c",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::members, "members",
    "organization_membership organization_membership_tag team team_membership team_application_access",
     {"csur", "csur", "s",    "s",    "s",    "s",    "sr",   "s",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::fleet_members, "fleet members",
    "user_application_membership",
     {"csur", "csur", "s",    "s",    "s",    "-",    "sr",   "s",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::invitations, "invitations",
    "invitee invitee__is_invited_to__organization invitee__is_invited_to__application",
  //  platf.  admin.  devel.  oper.   observ  member  own     by key  fellow  device  fleet's provis  anybody
     {"csur", "csr",  "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::fleets, "fleets",
    "application service service_label application_tag application_profile",
     {"csur", "csur", "csur", "s",    "s",    "-",    "-",    "-",    "-",    "-",    "s",    "-",    "s"}},
  group_line{group::releases, "releases",
    "release image release_image image_label image_environment_variable image_profile release_tag"
    " release_asset",
     {"csur", "csur", "csur", "s",    "s",    "-",    "-",    "-",    "-",    "-",    "s",    "-",    "s"}},
  group_line{group::builds, "builds",
    "build",
     {"s",    "s",    "s",    "s",    "s",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-"}},
  group_line{group::fleet_settings, "fleet variables",
    "application_environment_variable application_config_variable service_environment_variable"
    " build_environment_variable",
     {"csur", "csur", "csur", "s",    "-",    "-",    "-",    "-",    "-",    "-",    "s",    "-",    "-"}},
  group_line{group::devices, "devices",
    "device device_history",
  //  platf.  admin.  devel.  oper.   observ  member  own     by key  fellow  device  fleet's provis  anybody
     {"csur", "csur", "csur", "csur", "s",    "-",    "-",    "-",    "-",    "su",   "-",    "s",    "-"}},
  group_line{group::installs, "what devices run",
    "image_install service_install",
     {"csur", "csur", "csur", "csur", "s",    "-",    "-",    "-",    "-",    "csu",  "-",    "-",    "-"}},
  group_line{group::device_settings, "device variables",
    "device_environment_variable device_service_environment_variable",
     {"csur", "csur", "csur", "csur", "-",    "-",    "-",    "-",    "-",    "csur", "-",    "-",    "-"}},
  group_line{group::device_configuration, "device configuration",
    "device_config_variable",
     {"csur", "csur", "csur", "csur", "-",    "-",    "-",    "-",    "-",    "csu",  "-",    "-",    "-"}},
  group_line{group::device_tags, "device tags",
    "device_tag",
  //  platf.  admin.  devel.  oper.   observ  member  own     by key  fellow  device  fleet's provis  anybody
     {"csur", "csur", "csur", "csur", "s",    "-",    "-",    "-",    "-",    "csur", "-",    "-",    "-"}},
  group_line{group::internal, "internal",
    "actor service_instance builder",
     {"csur", "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-",    "-"}},
};

constexpr std::array action_table{
  action_line{action::read_state, "read_state", group::devices, "device", "PADOd",
    "the target state of a device, with the values of variables"},
  action_line{action::read_state, "read_state", group::fleets, "application", "PADOf",
    "the target state of a fleet, with the values of variables"},
  action_line{action::report_state, "report_state", group::devices, "device", "PADOd",
    "tell what a device is doing"},
  action_line{action::register_device, "register_device", group::fleets, "application", "PADOp",
    "register a device in a fleet"},
  action_line{action::read_logs, "read_logs", group::devices, "device", "PADOV",
    "read and follow a device's logs"},
  action_line{action::write_logs, "write_logs", group::devices, "device", "d",
    "send a device's logs"},
  action_line{action::inspect, "inspect", group::devices, "device", "PADO",
    "ask a device's supervisor (GET)"},
  action_line{action::inspect, "inspect", group::fleets, "application", "PADO",
    "ask the supervisors of a fleet (GET)"},
  action_line{action::control, "control", group::devices, "device", "PADO",
    "restart, reboot, purge, start and stop services of a device"},
  action_line{action::control, "control", group::fleets, "application", "PADO",
    "the same for all devices of a fleet"},
  action_line{action::tunnel, "tunnel", group::devices, "device", "PADO",
    "a tunnel or shell to a device"},
  action_line{action::download_config, "download_config", group::fleets, "application", "PADO",
    "the configuration of new devices, with a provisioning key"},
  action_line{action::pull_image, "pull_image", group::releases, "image", "PADOVfx",
    "pull an image from the registry"},
  action_line{action::push_image, "push_image", group::fleets, "application", "PAD",
    "push sources to the builder of a fleet"},
  action_line{action::push_image, "push_image", group::releases, "image", "PAD",
    "push an image into the registry"},
  action_line{action::make_key, "make_key", group::users, "user", "u",
    "make an API key of a user"},
  action_line{action::make_key, "make_key", group::fleets, "application", "PADO",
    "make a provisioning key of a fleet"},
  action_line{action::make_key, "make_key", group::devices, "device", "PADOp",
    "make a key of a device"},
};
// clang-format on

constexpr set verbs_of(std::string_view letters) {
  set out = 0;
  for (const char c : letters) {
    out |= c == 's'   ? see
           : c == 'c' ? bit(verb::create)
           : c == 'u' ? bit(verb::change)
           : c == 'r' ? bit(verb::remove)
                      : 0;
  }
  return out;
}

using sets = std::array<std::array<set, standing_count>, group_count>;

constexpr sets compiled = [] {
  sets out{};
  for (const auto& line : group_table) {
    for (std::size_t s = 0; s < standing_count; ++s) {
      out[static_cast<std::size_t>(line.of)][s] = verbs_of(line.verbs[s]);
    }
  }
  for (const auto& line : action_table) {
    for (const char letter : line.standings) {
      out[static_cast<std::size_t>(line.on)][standing_letters.find(letter)] |= bit(line.of);
    }
  }
  return out;
}();

std::vector<group> groups_by_resource() {
  const auto model = resource_model();
  std::vector<group> out;
  for (const auto& line : group_table) {
    for (auto rest = line.resources; !rest.empty();) {
      const auto space = rest.find(' ');
      const auto* resource = model->find(rest.substr(0, space));
      rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
      if (resource == nullptr) {
        continue;
      }
      if (out.size() <= resource->number) {
        out.resize(resource->number + 1U, group::internal);
      }
      out[resource->number] = line.of;
    }
  }
  return out;
}

}  // namespace

set of(group g, standing s) {
  return compiled[static_cast<std::size_t>(g)][static_cast<std::size_t>(s)];
}

group group_of(std::uint16_t resource) {
  static const auto table = groups_by_resource();
  return resource < table.size() ? table[resource] : group::internal;
}

std::span<const group_line> groups() {
  return group_table;
}

std::span<const action_line> actions() {
  return action_table;
}

}  // namespace slipway::domain::rights
