#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::runtime {

/// Random bits from the system; ends the process when it has none.
[[nodiscard]] std::string random_bytes(std::size_t n);
[[nodiscard]] std::string random_hex(std::size_t characters);
/// Letters and digits, for API keys.
[[nodiscard]] std::string random_token(std::size_t characters);
[[nodiscard]] std::uint64_t random_u64();

[[nodiscard]] std::string hex(std::string_view bytes);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
[[nodiscard]] std::string hmac_sha256_hex(std::string_view key, std::string_view bytes);
/// Compares in time that depends on the lengths only.
[[nodiscard]] bool equal_secret(std::string_view a, std::string_view b);

[[nodiscard]] std::string base64(std::string_view bytes);
/// "" when it is not base64.
[[nodiscard]] std::string base64_decode(std::string_view text);

/// Argon2id at libsodium's interactive limits: about 64 MiB and 0.1 s.
[[nodiscard]] std::string hash_password(std::string_view password);
[[nodiscard]] bool verify_password(std::string_view hash, std::string_view password);

}  // namespace slipway::runtime
