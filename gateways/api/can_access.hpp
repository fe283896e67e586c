#pragma once

#include "domain/access.hpp"
#include "messages/error.hpp"

#include <string_view>

namespace slipway::gateways::api {

/// `POST device(15)/canAccess` (balena-api.md 4.5): the body is `{"action": "tunnel-22222"}`, `{"action": {"or": [...]}}` or
/// `{"method": "PATCH"}`. Answers whether the requester may do it to this row. A method is the verb on the row itself; an action that
/// the table of rights does not know is only for who may do everything else. Errors: invalid_argument for another body.
[[nodiscard]] messages::result<bool> can_access(
  std::string_view body,
  const domain::access& rights,
  const domain::resource_def& resource,
  const messages::row& row);

}  // namespace slipway::gateways::api
