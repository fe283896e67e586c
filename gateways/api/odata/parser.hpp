#pragma once

#include "gateways/api/odata/request.hpp"
#include "messages/error.hpp"

#include <string_view>

namespace slipway::gateways::odata {

/// Parses the target of a request (balena-api.md 4): `version` is `v6` or `v7`, `path` what follows it without the slash (`device(15)`),
/// `raw_query` what follows the question mark, both still percent-encoded. `schema` must outlive the result.
/// Errors: not_found for an unknown version or resource, invalid_argument for all else, with the name and position at fault.
messages::result<request_line> parse_target(
  const domain::schema& schema,
  std::string_view version,
  std::string_view path,
  std::string_view raw_query,
  const limits& bounds = {});

}  // namespace slipway::gateways::odata
