#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Time-based one-time passwords: RFC 6238 over RFC 4226 with SHA-1, 6 digits and steps of 30 s, which is what every authenticator
/// application understands.
namespace slipway::gateways {

constexpr int totp_step_seconds = 30;
constexpr int totp_digits = 6;
/// Steps before and after the present one whose codes pass too, for clocks that differ.
constexpr int totp_steps_around = 1;
/// 160 bits, the length RFC 4226 recommends.
constexpr std::size_t totp_secret_bytes = 20;

/// RFC 4648 base32 in capitals, without padding.
[[nodiscard]] std::string base32(std::string_view bytes);
/// Either case, padding optional; nothing when it is not base32.
[[nodiscard]] std::optional<std::string> base32_decode(std::string_view text);

/// RFC 4226: the code of a counter, `digits` long with leading zeros. `secret` is bytes, not base32.
[[nodiscard]] std::string hotp(std::string_view secret, std::uint64_t counter, int digits);

/// The step whose code this is, looked for around `now_ms` and above `last_step`, so that a code passes once; nothing when it is none.
/// `secret` is base32. Spaces in the code are left out. Takes the same time whatever the code is.
[[nodiscard]] std::optional<std::int64_t> totp_step_of(
  std::string_view secret,
  std::string_view code,
  std::int64_t now_ms,
  std::int64_t last_step);

/// What authenticator applications read from a QR code. `secret` is base32.
[[nodiscard]] std::string
otpauth_uri(std::string_view issuer, std::string_view account, std::string_view secret);

}  // namespace slipway::gateways
