#pragma once

#include "gateways/api/odata/request.hpp"
#include "gateways/api/odata/session.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace slipway::gateways::odata {

/// Ids, ascending, among which are all rows that have this key and pass this filter; nullopt = no index helps, look at all rows.
/// It only narrows: whoever calls tests key and filter on each row again. How it chooses is in ADR 16.
std::optional<std::vector<std::int64_t>> plan(
  session& s,
  const domain::resource_def& resource,
  const std::vector<key_part>& key,
  const std::optional<expr>& filter);

}  // namespace slipway::gateways::odata
