#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/event.hpp"

#include <vector>

/// What a commit means to those who watch the log.
namespace slipway::domain {

/// May the target state of devices differ after it? Of the device, or of all devices of the fleet, that it was written by.
[[nodiscard]] bool affects_target(const schema& model, const messages::commit& c);

/// May somebody's credentials or memberships mean something else after it?
[[nodiscard]] bool affects_credentials(const messages::commit& c);

/// May the roles of users other than the one it was written by differ after it? Then every credential is looked up anew.
[[nodiscard]] bool affects_roles(const messages::commit& c);

/// May bytes of a release asset have lost their last row?
[[nodiscard]] bool affects_assets(const messages::commit& c);

/// Devices to be told now to fetch their target state (balena-api.md 8.13), in no order.
[[nodiscard]] std::vector<std::int64_t> devices_to_notify(
  const messages::commit& c,
  const row_source& rows);

}  // namespace slipway::domain
