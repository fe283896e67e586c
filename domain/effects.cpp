#include "domain/effects.hpp"

#include "domain/numbers.hpp"

#include <algorithm>
#include <array>

namespace slipway::domain {
namespace {

using messages::entity_kind;
using messages::event;
using messages::event_type;

const numbers::table& n() {
  return numbers::get();
}

bool touches(const event& e, std::uint16_t number) {
  return std::any_of(e.values.begin(), e.values.end(), [number](const auto& v) {
    return v.field == number;
  });
}

bool one_of(std::uint16_t resource, std::initializer_list<std::uint16_t> set) {
  return std::find(set.begin(), set.end(), resource) != set.end();
}

// What of a fleet's events reaches devices at once. A release under construction reaches nobody until it is the target.
bool is_for_all_devices(const event& e) {
  const auto& t = n();
  if (e.resource == t.application.resource && e.type == event_type::row_changed) {
    return touches(e, t.application.should_be_running__release)
           || touches(e, t.application.app_name);
  }
  return one_of(
    e.resource,
    {t.application_environment_variable.resource,
     t.application_config_variable.resource,
     t.service_environment_variable.resource,
     t.service_label.resource});
}

bool is_for_this_device(const event& e) {
  const auto& t = n();
  if (e.resource == t.device.resource && e.type == event_type::row_changed) {
    return touches(e, t.device.is_pinned_on__release)
           || touches(e, t.device.belongs_to__application) || touches(e, t.device.device_name)
           || touches(e, t.device.should_be_operated_by__release)
           || touches(e, t.device.should_be_managed_by__release);
  }
  return one_of(
    e.resource,
    {t.device_environment_variable.resource,
     t.device_config_variable.resource,
     t.device_service_environment_variable.resource});
}

}  // namespace

bool affects_target(const schema& model, const messages::commit& c) {
  return std::any_of(c.events.begin(), c.events.end(), [&](const event& e) {
    const auto* resource = model.find(e.resource);
    if (resource == nullptr) {
      return false;
    }
    if (e.type == event_type::row_removed) {
      return true;
    }
    return std::any_of(e.values.begin(), e.values.end(), [&](const auto& v) {
      return v.field < resource->fields.size() && resource->fields[v.field].affects_target;
    });
  });
}

bool affects_credentials(const messages::commit& c) {
  const auto& t = n();
  return affects_roles(c) || std::any_of(c.events.begin(), c.events.end(), [&](const event& e) {
           if (one_of(e.resource, {t.device.resource, t.application.resource})) {
             return e.type == event_type::row_removed;
           }
           return one_of(
             e.resource,
             {t.api_key.resource, t.user.resource, t.login_session.resource});
         });
}

bool affects_roles(const messages::commit& c) {
  const auto& t = n();
  return std::any_of(c.events.begin(), c.events.end(), [&](const event& e) {
    if (e.resource == t.application.resource) {
      return e.type == event_type::row_changed && touches(e, t.application.organization);
    }
    return one_of(
      e.resource,
      {t.organization.resource,
       t.organization_membership.resource,
       t.user_application_membership.resource,
       t.team.resource,
       t.team_membership.resource,
       t.team_application_access.resource});
  });
}

bool affects_assets(const messages::commit& c) {
  return std::any_of(c.events.begin(), c.events.end(), [](const event& e) {
    return e.resource == n().release_asset.resource && e.type != event_type::row_created;
  });
}

std::vector<std::int64_t> devices_to_notify(const messages::commit& c, const row_source& rows) {
  if (c.entity.kind == entity_kind::device) {
    return std::any_of(c.events.begin(), c.events.end(), is_for_this_device)
             ? std::vector{c.entity.id}
             : std::vector<std::int64_t>{};
  }
  if (
    c.entity.kind != entity_kind::fleet
    || !std::any_of(c.events.begin(), c.events.end(), is_for_all_devices)) {
    return {};
  }
  const std::array<messages::value, 1> fleet{c.entity.id};
  return rows.all(n().device.resource, n().device.belongs_to__application, fleet);
}

}  // namespace slipway::domain
