#pragma once

#include "gateways/api/odata/request.hpp"
#include "messages/value.hpp"

#include <compare>
#include <optional>

namespace slipway::gateways::odata {

/// Order of two values; nothing when one is null or they are of kinds without an order between them. Text by bytes.
[[nodiscard]] std::optional<std::strong_ordering> order_of(
  const messages::value& a,
  const messages::value& b);

/// What eq, ne, gt, ge, lt or le of two values gives: true, false, or null for gt, ge, lt, le with a null (ADR 15).
[[nodiscard]] messages::value
compare_values(op what, const messages::value& a, const messages::value& b);

/// Order of results (PostgreSQL's): null after everything. Total, so it can sort.
[[nodiscard]] std::strong_ordering sort_order(const messages::value& a, const messages::value& b);

}  // namespace slipway::gateways::odata
