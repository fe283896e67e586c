#pragma once

#include "gateways/api/odata/request.hpp"
#include "gateways/api/odata/session.hpp"

#include <array>

namespace slipway::gateways::odata {

/// Three-valued, as SQL: what compares null with an order is unknown, and only what is certainly true passes a filter (ADR 15).
enum class truth : std::uint8_t { no, yes, unknown };

/// The rows that variables stand for; element 0 is the row itself.
using frame = std::array<const messages::row*, variables_max>;

/// Whether a condition holds. When the session has failed the answer means nothing.
truth test(session& s, const expr& e, frame& f);

/// Value of an expression: of a row, of `e`, or put into `scratch`.
const messages::value& evaluate(session& s, const expr& e, frame& f, messages::value& scratch);

/// Whether a row passes a filter; no filter lets all pass.
bool passes(session& s, const std::optional<expr>& filter, const messages::row& r);

}  // namespace slipway::gateways::odata
