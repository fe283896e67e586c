#pragma once

#include "gateways/services.hpp"

namespace slipway::gateways::api {

/// Removes a user with its keys, sessions and memberships, and the organizations that nobody else is in. Whoever calls has made sure
/// that it may. Errors: rule_violated when others depend on the user; those of the entities.
[[nodiscard]] runtime::awaitable<messages::result<void>>
remove_user(const services& s, boost::asio::any_io_executor executor, messages::row user);

}  // namespace slipway::gateways::api
