#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways::odata {

/// The years 0000 to 9999 in ms since 1970: what a date in a request may be.
constexpr std::int64_t date_min = -62'167'219'200'000;
constexpr std::int64_t date_max = 253'402'300'799'999;

/// ISO 8601 as JavaScript and the catalogue write it: `2026-01-01`, optionally `T10:00`, `:00`, `.123`, and `Z` or an offset such as
/// `+01:00`; no offset means UTC. Gives ms since 1970.
[[nodiscard]] std::optional<std::int64_t> parse_date(std::string_view text);

/// `2026-01-01T00:00:00.000Z`.
void append_date(std::string& out, std::int64_t ms);

}  // namespace slipway::gateways::odata
