#pragma once

#include <cstdint>
#include <string>

namespace slipway::gateways::device {

/// A target state as early supervisors read it (balena-api.md 8.6), from that of today: the fleet's application alone, services by
/// id, with the members of their composition among them.
[[nodiscard]] std::string target_v2(const std::string& v3, std::int64_t fleet);

}  // namespace slipway::gateways::device
