#include "domain/device_status.hpp"

#include "domain/numbers.hpp"
#include "domain/schema.hpp"

#include <array>

namespace slipway::domain {
namespace {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::field;
using messages::is_null;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

template <class Visit>
void each_install(const row& device, const row_source& rows, Visit visit) {
  const std::array<value, 1> key{field(device, 0)};
  rows.lookup(n().image_install.resource, n().image_install.device, key, [&](std::int64_t id) {
    const auto install = rows.get(n().image_install.resource, id);
    return !install || visit(*install);
  });
}

bool any_downloading(const row& device, const row_source& rows) {
  bool found = false;
  each_install(device, rows, [&](const row& install) {
    found = as_text(field(install, n().image_install.status)) == "Downloading";
    return !found;
  });
  return found;
}

bool is_off(const row_source& rows, const numbers::keyed& k, const value& parent) {
  for (const auto* name : {"BALENA_SUPERVISOR_VPN_CONTROL", "RESIN_SUPERVISOR_VPN_CONTROL"}) {
    const std::array<value, 2> key{parent, name};
    const auto id = rows.first(k.resource, first_composite, key);
    const auto r = id ? rows.get(k.resource, *id) : std::nullopt;
    const auto text = r ? as_text(field(*r, k.value)) : "";
    if (text == "false" || text == "0") {
      return true;
    }
  }
  return false;
}

// A device may be told to stay away from the overlay; then it lacks nothing without it.
bool overlay_switched_off(const row& device, const row_source& rows) {
  return is_off(rows, n().device_config_variable, field(device, 0))
         || is_off(
           rows,
           n().application_config_variable,
           field(device, n().device.belongs_to__application));
}

}  // namespace

std::string overall_status(const row& device, const row_source& rows) {
  const auto& d = n().device;
  const auto heartbeat = as_text(field(device, d.api_heartbeat_state));
  const bool vpn = as_bool(field(device, d.is_connected_to_vpn));
  const bool silent = heartbeat == "offline" || heartbeat == "unknown";
  if (!as_bool(field(device, d.is_active), true)) {
    return "inactive";
  }
  if (as_text(field(device, d.provisioning_state)) == "Post-Provisioning") {
    return "post-provisioning";
  }
  if (!vpn && is_null(field(device, d.last_connectivity_event)) && heartbeat == "unknown") {
    return "configuring";
  }
  if (!vpn && silent) {
    return "disconnected";
  }
  if (!silent && !is_null(field(device, d.download_progress))) {
    return "updating";
  }
  if (!is_null(field(device, d.provisioning_progress))) {
    return "configuring";
  }
  if (any_downloading(device, rows)) {
    return "updating";
  }
  const bool whole = heartbeat == "online" && (vpn || overlay_switched_off(device, rows));
  return whole ? "operational" : "reduced-functionality";
}

std::string overall_status_v6(const row& device, const row_source& rows) {
  auto status = overall_status(device, rows);
  if (status == "disconnected") {
    return "offline";
  }
  return status == "operational" || status == "reduced-functionality" ? "idle" : status;
}

value overall_progress(const row& device, const row_source& rows) {
  const auto& d = n().device;
  if (const auto& p = field(device, d.provisioning_progress); !is_null(p)) {
    return p;
  }
  if (const auto& p = field(device, d.download_progress); !is_null(p)) {
    return p;
  }
  const auto target = should_be_running(device, rows);
  std::int64_t sum = 0;
  std::int64_t count = 0;
  bool busy = false;
  each_install(device, rows, [&](const row& install) {
    const auto& i = n().image_install;
    const bool downloading = as_text(field(install, i.status)) == "Downloading";
    busy = busy || downloading;
    if (downloading || (!is_null(target) && field(install, i.is_provided_by__release) == target)) {
      sum += as_int(field(install, i.download_progress), 100);
      ++count;
    }
    return true;
  });
  return busy && count > 0 ? value((sum + count / 2) / count) : value{};
}

value should_be_running(const row& device, const row_source& rows) {
  if (const auto& pin = field(device, n().device.is_pinned_on__release); !is_null(pin)) {
    return pin;
  }
  const auto fleet =
    rows.get(n().application.resource, as_int(field(device, n().device.belongs_to__application)));
  return fleet ? field(*fleet, n().application.should_be_running__release) : value{};
}

}  // namespace slipway::domain
