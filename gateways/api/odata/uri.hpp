#pragma once

#include "messages/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::gateways::odata {

/// Decodes `%41`, and `+` as a space when asked. Errors: invalid_argument for a broken escape, for bytes that are not UTF-8 and for
/// NUL, which no text of the model may hold.
messages::result<std::string> percent_decode(std::string_view raw, bool plus_is_space);

/// Splits a raw query at `&` and decodes. Inside the parentheses and quotes of an option that begins with `$` or `@` an `&` does
/// not split: nested options may be separated by it (balena-api.md 4.4). Errors: as percent_decode; more than `options_max`.
messages::result<std::vector<std::pair<std::string, std::string>>> split_query(
  std::string_view raw,
  std::size_t options_max);

/// Bytes of the UTF-8 sequence at the front of `text`, 0 = not one.
std::size_t utf8_length(std::string_view text);

}  // namespace slipway::gateways::odata
