#pragma once

#include "messages/error.hpp"

#include <string>

namespace slipway::gateways {

/// An ES256 key pair as PEM texts, and the key id that goes into tokens.
struct signing_key {
  std::string private_pem;
  std::string public_pem;
  std::string id;
};

/// Reads the key, or makes one and keeps it in `path` with mode 0600, synced. Errors: io_failed, corrupt.
[[nodiscard]] messages::result<signing_key> load_signing_key(const std::string& path);

/// libtrust's fingerprint: SHA-256 of the DER SubjectPublicKeyInfo, first 30 bytes, base32, twelve groups of four.
[[nodiscard]] std::string libtrust_fingerprint(std::string_view spki_der);

}  // namespace slipway::gateways
