#pragma once

#include <sys/socket.h>

#include <string>

namespace slipway::runtime {

/// Whether an address is of this machine or of its link: loopback, unspecified or link-local, also as IPv4 within IPv6. Nobody elsewhere has
/// a reason to send us there.
[[nodiscard]] bool is_local_address(const sockaddr& address);
/// The same for an address as text; false for what is none.
[[nodiscard]] bool is_local_address(const std::string& ip);

}  // namespace slipway::runtime
