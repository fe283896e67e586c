#pragma once

#include <string>
#include <string_view>

/// The frames of git's protocol (gitprotocol-common, "pkt-line Format").
namespace slipway::gateways::git {

/// The text behind its length; at most 65,516 bytes of it.
[[nodiscard]] std::string packet(std::string_view text);
constexpr std::string_view flush_packet = "0000";

/// A line that the client shows as `remote: ...`; only for one that speaks side-band-64k.
[[nodiscard]] std::string remark_packet(std::string_view text);
/// Does the push that begins with these bytes say side-band-64k? False too when its first frame is not whole in them.
[[nodiscard]] bool takes_remarks(std::string_view first_bytes);

}  // namespace slipway::gateways::git
