#pragma once

#include "messages/error.hpp"

#include <string>
#include <string_view>

namespace slipway::domain {

/// A public key as `authorized_keys` has it: `ssh-ed25519 AAAA... comment`.
struct ssh_public_key {
  std::string type;  ///< as the key's own bytes name it
  std::string blob;  ///< the decoded middle part (RFC 4253, 6.6)
};

constexpr int rsa_bits_min = 2048;
constexpr int rsa_bits_max = 16'384;

/// Reads and checks one key: ssh-ed25519, ssh-rsa of at least `rsa_bits_min`, ecdsa-sha2-nistp256/384/521, and the sk- forms of Ed25519
/// and P-256 that live on a security token. No options before the type, one line. Errors: rule_violated, saying what is wrong.
[[nodiscard]] messages::result<ssh_public_key> parse_ssh_public_key(std::string_view line);

}  // namespace slipway::domain
