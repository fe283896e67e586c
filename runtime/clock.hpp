#pragma once

#include <cstdint>

namespace slipway::runtime {

/// The real clocks; pure code takes times as arguments.
/// Wall clock, ms since 1970, UTC.
[[nodiscard]] std::int64_t now_ms();
/// Never goes backwards; for timeouts. ms from an arbitrary origin.
[[nodiscard]] std::int64_t steady_ms();

}  // namespace slipway::runtime
