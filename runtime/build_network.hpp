#pragma once

#include "messages/error.hpp"

#include <string>
#include <vector>

namespace slipway::runtime {

/// Names of bridges that builds run in begin so; the firewall's rules go by it.
constexpr const char* build_bridge_prefix = "swb";

/// Rules, in the form of iptables-restore, for what comes from builds: nothing reaches the host itself, other builds, link-local
/// addresses or `blocked` (IPv4 addresses, those of the core); all else is the engine's to decide.
[[nodiscard]] std::string build_network_rules(const std::vector<std::string>& blocked);

/// Puts the rules in place, or finds them there; cheap enough to be asked before each build. They hold for all build networks of this
/// machine and stay when this process ends. Errors: forbidden (not root), unavailable (the engine's chain is not there, so it filters
/// nothing), io_failed.
[[nodiscard]] messages::result<void> guard_build_networks(const std::vector<std::string>& blocked);

/// IPv4 addresses of `tcp://host:port` that are not loopback ones: rules are by address, and build networks have no other. Blocks on DNS.
/// Errors: unavailable (the name has no answer now), invalid_argument.
[[nodiscard]] messages::result<std::vector<std::string>> addresses_of_endpoint(
  const std::string& endpoint);

}  // namespace slipway::runtime
