#pragma once

#include <array>
#include <string_view>

/// The life of a build, as one table (docs/protocols/builder.md).
namespace slipway::domain {

namespace build_status {
inline constexpr std::string_view queued = "queued";    ///< waits for a worker
inline constexpr std::string_view running = "running";  ///< a worker has it
inline constexpr std::string_view pushed =
  "pushed";  ///< every image is in the registry; a git ref is still to move
inline constexpr std::string_view released = "released";
inline constexpr std::string_view failed = "failed";
inline constexpr std::string_view cancelled = "cancelled";
inline constexpr std::array all{queued, running, pushed, released, failed, cancelled};
}  // namespace build_status

/// Nothing follows it.
[[nodiscard]] bool is_over(std::string_view status);
/// May a build go from one to the other? Running to queued is a retry. Staying is allowed unless it is over.
[[nodiscard]] bool may_follow(std::string_view from, std::string_view to);

}  // namespace slipway::domain
