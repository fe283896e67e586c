#include "gateways/login/totp.hpp"

#include "runtime/assert.hpp"
#include "runtime/crypto.hpp"
#include "runtime/http_text.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace slipway::gateways {
namespace {

constexpr std::string_view base32_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

std::string hmac_sha1(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const auto* done = HMAC(
    EVP_sha1(),
    key.data(),
    static_cast<int>(key.size()),
    reinterpret_cast<const unsigned char*>(message.data()),
    message.size(),
    digest.data(),
    &size);
  SLIPWAY_ASSERT(done != nullptr && size == 20);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::uint32_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

}  // namespace

std::string base32(std::string_view bytes) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bits = (bits << 8U) | byte_at(bytes, i);
    for (count += 8; count >= 5; count -= 5) {
      out += base32_alphabet[(bits >> static_cast<unsigned>(count - 5)) & 31U];
    }
  }
  if (count > 0) {
    out += base32_alphabet[(bits << static_cast<unsigned>(5 - count)) & 31U];
  }
  return out;
}

std::optional<std::string> base32_decode(std::string_view text) {
  while (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const bool lower = c >= 'a' && c <= 'z';
    const auto digit = base32_alphabet.find(lower ? static_cast<char>(c - 'a' + 'A') : c);
    if (digit == std::string_view::npos) {
      return std::nullopt;
    }
    bits = (bits << 5U) | static_cast<std::uint32_t>(digit);
    count += 5;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> static_cast<unsigned>(count)) & 255U);
    }
  }
  return out;
}

std::string hotp(std::string_view secret, std::uint64_t counter, int digits) {
  SLIPWAY_ASSERT(digits >= 1 && digits <= 9);
  std::string message(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    message[7 - i] = static_cast<char>((counter >> (8 * i)) & 255U);
  }
  const auto mac = hmac_sha1(secret, message);
  const auto at = byte_at(mac, mac.size() - 1) & 15U;
  auto number = ((byte_at(mac, at) & 127U) << 24U) | (byte_at(mac, at + 1) << 16U)
                | (byte_at(mac, at + 2) << 8U) | byte_at(mac, at + 3);
  std::string out(static_cast<std::size_t>(digits), '0');
  for (auto c = out.rbegin(); c != out.rend(); ++c, number /= 10) {
    *c = static_cast<char>('0' + number % 10);
  }
  return out;
}

std::optional<std::int64_t> totp_step_of(
  std::string_view secret,
  std::string_view code,
  std::int64_t now_ms,
  std::int64_t last_step) {
  std::string digits;
  std::copy_if(code.begin(), code.end(), std::back_inserter(digits), [](char c) {
    return c != ' ';
  });
  const auto key = base32_decode(secret);
  if (!key || key->empty() || digits.size() != totp_digits) {
    return std::nullopt;
  }
  const auto now_step = now_ms / 1000 / totp_step_seconds;
  std::optional<std::int64_t> found;
  for (auto step = now_step - totp_steps_around; step <= now_step + totp_steps_around; ++step) {
    const bool same =
      runtime::equal_secret(hotp(*key, static_cast<std::uint64_t>(step), totp_digits), digits);
    if (same && step > last_step) {
      found = step;
    }
  }
  return found;
}

std::string
otpauth_uri(std::string_view issuer, std::string_view account, std::string_view secret) {
  using runtime::percent_encode;
  return "otpauth://totp/" + percent_encode(issuer) + ":" + percent_encode(account) + "?secret="
         + std::string(secret) + "&issuer=" + percent_encode(issuer) + "&algorithm=SHA1&digits="
         + std::to_string(totp_digits) + "&period=" + std::to_string(totp_step_seconds);
}

}  // namespace slipway::gateways
