#pragma once

#include "messages/error.hpp"

#include <filesystem>
#include <string>

namespace slipway::runtime {

/// Where container engines look for a registry's roots. dockerd reads it at each pull and push.
constexpr const char* engine_certificates = "/etc/docker/certs.d";

/// Makes the engine of this machine trust `pem` for the registry at `registry` (`host` or `host:port`): writes
/// `<folder>/<registry>/slipway.crt`, beside what others put there. Answers whether something had to be written. Errors:
/// invalid_argument (that is no registry's name), io_failed (most often: not root).
[[nodiscard]] messages::result<bool> trust_registry(
  const std::filesystem::path& folder,
  const std::string& registry,
  const std::string& pem);

}  // namespace slipway::runtime
