#pragma once

#include <string_view>

namespace slipway::gateways {

/// What RFC 9110, 13.1 makes of a request for something that exists.
enum class condition { go_on, not_modified, failed };

/// `etag` is without quotes: the digest, which never changes. Fields are as received, hostile, "" if absent; tags may be weak, and
/// unquoted as some clients send them.
[[nodiscard]] condition
check_conditions(std::string_view if_match, std::string_view if_none_match, std::string_view etag);

/// Whether a `Range` counts, RFC 9110, 13.1.5: without `If-Range`, or when that names this tag. Dates never do.
[[nodiscard]] bool range_applies(std::string_view if_range, std::string_view etag);

}  // namespace slipway::gateways
