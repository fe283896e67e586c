#pragma once

#include "messages/error.hpp"

#include <string>
#include <vector>

namespace slipway::gateways::ssh {

/// Files of the server's own keys, Ed25519 and ECDSA P-256, made when they are not there: `<folder>/ssh_host_ed25519`. Readable by their owner
/// only. Errors: io_failed.
[[nodiscard]] messages::result<std::vector<std::string>> host_keys(const std::string& folder);

}  // namespace slipway::gateways::ssh
