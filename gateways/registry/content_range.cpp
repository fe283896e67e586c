#include "gateways/registry/content_range.hpp"

#include <charconv>

namespace slipway::gateways {
namespace {

/// Room for a last byte plus one without overflow.
constexpr std::uint64_t offset_max = std::uint64_t{1} << 62U;

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t n = 0;
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, n);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == end && n <= offset_max;
  return whole ? std::optional(n) : std::nullopt;
}

}  // namespace

std::optional<chunk_range> parse_chunk_range(std::string_view field) {
  if (field.starts_with("bytes ")) {
    field.remove_prefix(6);
  }
  field = field.substr(0, field.find('/'));
  const auto dash = field.find('-');
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto first = number(field.substr(0, dash));
  const auto last = number(field.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return std::nullopt;
  }
  return chunk_range{*first, *last};
}

}  // namespace slipway::gateways
