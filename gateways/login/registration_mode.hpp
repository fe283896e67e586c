#pragma once

#include <cstdint>

namespace slipway::gateways {

/// Who may make an account without an administrator.
enum class registration_mode : std::uint8_t {
  closed,  ///< nobody
  invite,  ///< who was invited to an organization or fleet, with the invitation's token and e-mail address
  open,  ///< everybody who reaches the server
};

}  // namespace slipway::gateways
