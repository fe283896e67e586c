#include "runtime/crypto.hpp"

#include "runtime/assert.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>

#include <vector>

namespace slipway::runtime {
namespace {

void init() {
  static const bool ready = sodium_init() >= 0;
  SLIPWAY_ASSERT(ready);
}

}  // namespace

std::string random_bytes(std::size_t n) {
  init();
  std::string out(n, '\0');
  randombytes_buf(out.data(), n);
  return out;
}

std::string random_hex(std::size_t characters) {
  auto out = hex(random_bytes((characters + 1) / 2));
  out.resize(characters);
  return out;
}

std::string random_token(std::size_t characters) {
  init();
  static constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string out(characters, '\0');
  for (auto& c : out) {
    c = alphabet[randombytes_uniform(static_cast<std::uint32_t>(alphabet.size()))];
  }
  return out;
}

std::uint64_t random_u64() {
  init();
  std::uint64_t n = 0;
  randombytes_buf(&n, sizeof n);
  return n;
}

std::string hex(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out += digits[b >> 4U];
    out += digits[b & 15U];
  }
  return out;
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char md[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  SLIPWAY_ASSERT(EVP_Digest(bytes.data(), bytes.size(), md, &size, EVP_sha256(), nullptr) == 1);
  return hex({reinterpret_cast<const char*>(md), size});
}

std::string hmac_sha256_hex(std::string_view key, std::string_view bytes) {
  unsigned char md[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const auto* made = HMAC(
    EVP_sha256(),
    key.data(),
    static_cast<int>(key.size()),
    reinterpret_cast<const unsigned char*>(bytes.data()),
    bytes.size(),
    md,
    &size);
  SLIPWAY_ASSERT(made != nullptr);
  return hex({reinterpret_cast<const char*>(md), size});
}

bool equal_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64(std::string_view bytes) {
  std::string out(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(
    out.data(),
    out.size(),
    reinterpret_cast<const unsigned char*>(bytes.data()),
    bytes.size(),
    sodium_base64_VARIANT_ORIGINAL);
  out.resize(out.size() - 1);  // the terminating zero
  return out;
}

std::string base64_decode(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t size = 0;
  const int failed = sodium_base642bin(
    reinterpret_cast<unsigned char*>(out.data()),
    out.size(),
    text.data(),
    text.size(),
    nullptr,
    &size,
    nullptr,
    sodium_base64_VARIANT_ORIGINAL);
  out.resize(failed == 0 ? size : 0);
  return out;
}

std::string hash_password(std::string_view password) {
  init();
  char out[crypto_pwhash_STRBYTES];
  SLIPWAY_ASSERT(
    crypto_pwhash_str(
      out,
      password.data(),
      password.size(),
      crypto_pwhash_OPSLIMIT_INTERACTIVE,
      crypto_pwhash_MEMLIMIT_INTERACTIVE)
    == 0);
  return out;
}

bool verify_password(std::string_view hash, std::string_view password) {
  init();
  const std::string text(hash);
  return crypto_pwhash_str_verify(text.c_str(), password.data(), password.size()) == 0;
}

}  // namespace slipway::runtime
