#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Small pieces of HTTP text. All take hostile bytes.
namespace slipway::runtime {

/// ASCII only, as HTTP compares names.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);
[[nodiscard]] std::string ascii_lower(std::string_view s);
/// Without spaces and tabs at both ends.
[[nodiscard]] std::string_view trim_space(std::string_view s);

/// RFC 3986 percent-decoding; nothing for a `%` that two hex digits do not follow. `plus_is_space` as forms have it.
[[nodiscard]] std::optional<std::string> percent_decode(
  std::string_view s,
  bool plus_is_space = false);
/// Everything but unreserved characters becomes %XX.
[[nodiscard]] std::string percent_encode(std::string_view s);

using query_pairs = std::vector<std::pair<std::string, std::string>>;
/// Decoded pairs of `a=1&b=2` in their order; nothing when malformed or past `pairs_max`. Names may repeat.
[[nodiscard]] std::optional<query_pairs> parse_query(
  std::string_view query,
  std::size_t pairs_max = 1000);
/// First value of that name, nothing when absent.
[[nodiscard]] std::optional<std::string_view> query_value(
  const query_pairs& pairs,
  std::string_view name);
/// All values of `name`, whether it is repeated (`scope=a&scope=b`), empty-indexed (`scope[]=a`) or indexed (`scope[0]=a`), in order.
[[nodiscard]] std::vector<std::string_view> query_values(
  const query_pairs& pairs,
  std::string_view name);

/// `Mon, 23 Nov 2026 05:22:03 GMT` (RFC 9110, IMF-fixdate), from ms since 1970.
[[nodiscard]] std::string http_date(std::int64_t ms);
/// The inverse; nothing for any other form.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view s);

/// Members of a comma-separated field (`gzip, br;q=0.5`), trimmed, empty ones dropped. Commas in quotes do not separate.
[[nodiscard]] std::vector<std::string_view> header_tokens(std::string_view field);
/// Whether one of the members, without parameters, is `token` (any case).
[[nodiscard]] bool has_token(std::string_view field, std::string_view token);

/// Credentials of an Authorization field: scheme in lower case and the rest. Nothing when there is no scheme.
[[nodiscard]] std::optional<std::pair<std::string, std::string_view>> authorization(
  std::string_view field);

/// First and last byte of a `bytes=` range of one part within `size` bytes (RFC 9110, 14.1.2).
struct byte_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
enum class range_kind { none, satisfiable, unsatisfiable };
/// `none` for a field that is absent, malformed, of another unit or of several parts: the whole is the answer then.
[[nodiscard]] range_kind parse_range(std::string_view field, std::uint64_t size, byte_range& out);

}  // namespace slipway::runtime
