#pragma once

#include "cli/context.hpp"

#include <string>

namespace slipway::cli {

struct fleet_create_args {
  std::string name;
  std::string type;
  std::string organization;  ///< handle, "" = the only one
};
messages::result<void> fleet_create(context& c, const fleet_create_args& args);
messages::result<void> fleet_list(context& c);
messages::result<void> fleet_show(context& c, const std::string& fleet);
messages::result<void> fleet_remove(context& c, const std::string& fleet, bool yes);
messages::result<void> fleet_rename(context& c, const std::string& fleet, const std::string& name);
/// Keeps it on a release; `fleet_track_latest` ends that.
messages::result<void> fleet_pin(context& c, const std::string& fleet, const std::string& release);
messages::result<void> fleet_track_latest(context& c, const std::string& fleet);
/// Pushes to `branch` are built, or to `main` and `master` when it is `by_default`. Errors: invalid_argument unless one of both is given.
messages::result<void> fleet_release_branch(
  context& c,
  const std::string& fleet,
  const std::string& branch,
  bool by_default);
/// Of its online devices: restarts all services; empties all volumes.
messages::result<void> fleet_restart(context& c, const std::string& fleet);
messages::result<void> fleet_purge(context& c, const std::string& fleet, bool yes);
messages::result<void> device_type_list(context& c);

/// Asks on the terminal before something is removed, unless `yes`.
messages::result<void> confirm(const std::string& what, bool yes);

}  // namespace slipway::cli
