#pragma once

#include "gateways/api/odata/lexer.hpp"
#include "gateways/api/odata/parse_state.hpp"
#include "gateways/api/odata/request.hpp"

#include <string_view>

namespace slipway::gateways::odata {

/// For errors: `a number`.
std::string_view describe(kind k);

/// What a field holds, as far as comparing goes.
kind kind_of(const domain::field_def& f);

/// Whether an order or equality between the two kinds means something.
bool comparable(kind a, kind b);

/// Turns a literal into the kind that it is compared with, as PostgreSQL does with the text of a parameter: `'7'` beside a number is 7,
/// a text beside a date is parsed. False when it cannot be.
bool coerce(messages::value& literal, kind& gives, kind wanted);

/// The literal at hand: a literal token, `true`, `false`, `null` or `@name`. Fails when there is none.
token take_literal(parse_state& state, lexer& in);

}  // namespace slipway::gateways::odata
