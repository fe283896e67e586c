#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace slipway::gateways {

/// First and last byte of an upload's chunk.
struct chunk_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  [[nodiscard]] std::uint64_t size() const { return last - first + 1; }
};

/// `<first>-<last>` as the specification has it; `bytes ` before and `/...` after are tolerated, as some clients send HTTP's own
/// form. Nothing when malformed or backwards. Takes hostile bytes.
[[nodiscard]] std::optional<chunk_range> parse_chunk_range(std::string_view field);

}  // namespace slipway::gateways
