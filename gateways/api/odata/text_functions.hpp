#pragma once

#include "gateways/api/odata/request.hpp"
#include "messages/error.hpp"
#include "messages/value.hpp"

#include <array>

namespace slipway::gateways::odata {

/// Text that an expression may build on its way; `replace` within `replace` would grow without bound.
constexpr std::size_t built_text_bytes_max = 4U << 20U;

/// startswith to replace of `op`. No argument is null; a missing third is. Positions and lengths count characters, upper and lower
/// case are those of ASCII. Errors: invalid_argument when a built text is too long.
messages::result<messages::value> apply_text_function(
  op what,
  const std::array<const messages::value*, 3>& arguments);

}  // namespace slipway::gateways::odata
