#pragma once

#include "domain/schema.hpp"
#include "messages/value.hpp"

#include <string>
#include <string_view>

namespace slipway::gateways::odata {

/// A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void append_text(std::string& out, std::string_view text);

/// `"name":`
void append_name(std::string& out, std::string_view name);

/// A field's value as balena-api.md 3.1 shows it.
void append_value(std::string& out, const domain::field_def& f, const messages::value& v);

}  // namespace slipway::gateways::odata
