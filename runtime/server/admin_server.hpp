#pragma once

#include "gateways/services.hpp"
#include "runtime/server/admin_socket.hpp"
#include "runtime/server/care_office.hpp"

#include <functional>
#include <memory>
#include <string>

namespace slipway::runtime {

/// The operator's commands of a running server: its entities decide. `unlock` forgets a user's failed logins. Must go before the services
/// and their pool do.
[[nodiscard]] messages::result<std::unique_ptr<admin_socket>> serve_admin(
  const std::string& data_dir,
  std::shared_ptr<const gateways::services> services,
  std::function<void(const messages::row& user)> unlock,
  registry_care care);

}  // namespace slipway::runtime
