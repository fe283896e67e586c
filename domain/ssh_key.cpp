#include "domain/ssh_key.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace slipway::domain {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

std::optional<std::uint32_t> base64_digit(char c) {
  constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = digits.find(c);
  return at == std::string_view::npos ? std::nullopt
                                      : std::optional(static_cast<std::uint32_t>(at));
}

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) {
    return std::nullopt;
  }
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
    text.remove_suffix(1);
  }
  std::string out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto digit = base64_digit(c);
    if (!digit) {
      return std::nullopt;
    }
    bits = (bits << 6U) | *digit;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 255U);
    }
  }
  return out;
}

/// Takes the fields of a key's blob one after the other: each has its length in four bytes before it.
class blob_reader {
public:
  explicit blob_reader(std::string_view bytes) : rest_(bytes) {}

  std::optional<std::string_view> next() {
    if (rest_.size() < 4) {
      return std::nullopt;
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      length = (length << 8U) | static_cast<unsigned char>(rest_[i]);
    }
    if (length > rest_.size() - 4) {
      return std::nullopt;
    }
    const auto field = rest_.substr(4, length);
    rest_.remove_prefix(4 + length);
    return field;
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

private:
  std::string_view rest_;
};

/// Bits of a positive multiple-precision integer.
int bits_of(std::string_view number) {
  while (!number.empty() && number.front() == '\0') {
    number.remove_prefix(1);
  }
  int bits = static_cast<int>(number.size()) * 8;
  for (unsigned top = number.empty() ? 128U : static_cast<unsigned char>(number.front());
       (top & 128U) == 0;
       top <<= 1U) {
    --bits;
  }
  return bits;
}

tl::unexpected<messages::error> wrong(std::string what) {
  return fail(errc::rule_violated, "\"public_key\" " + std::move(what) + ".");
}

result<void> check_rsa(blob_reader& fields) {
  const auto exponent = fields.next();
  const auto modulus = fields.next();
  if (!exponent || !modulus || exponent->empty()) {
    return wrong("is not a complete SSH key");
  }
  const auto bits = modulus->size() > rsa_bits_max / 4 ? rsa_bits_max + 1 : bits_of(*modulus);
  if (bits < rsa_bits_min) {
    return wrong(
      "is an RSA key of " + std::to_string(bits) + " bits; it needs at least "
      + std::to_string(rsa_bits_min));
  }
  return bits > rsa_bits_max ? result<void>(
           wrong("is an RSA key of more than " + std::to_string(rsa_bits_max) + " bits"))
                             : result<void>{};
}

struct curve {
  std::string_view name;
  std::size_t point_bytes;  ///< uncompressed, with its leading 4
};

result<void> check_point(blob_reader& fields, const curve& c) {
  const auto name = fields.next();
  const auto point = fields.next();
  const bool ok =
    name && point && *name == c.name && point->size() == c.point_bytes && point->front() == '\x04';
  return ok ? result<void>{} : result<void>(wrong("is not a complete SSH key"));
}

result<void> check_ed25519(blob_reader& fields) {
  const auto point = fields.next();
  return point && point->size() == 32 ? result<void>{}
                                      : result<void>(wrong("is not a complete SSH key"));
}

/// The part of a security token's key that names the application it was made for.
result<void> check_application(blob_reader& fields) {
  const auto application = fields.next();
  return application && !application->empty() ? result<void>{}
                                              : result<void>(wrong("is not a complete SSH key"));
}

result<void> check_fields(std::string_view type, blob_reader& fields) {
  constexpr std::array curves{curve{"nistp256", 65}, curve{"nistp384", 97}, curve{"nistp521", 133}};
  const bool token = type.starts_with("sk-");
  result<void> ok = wrong(
    "has a type that is not accepted: use ssh-ed25519, ecdsa-sha2-nistp256/384/521, ssh-rsa or a "
    "security token's");
  if (type == "ssh-rsa") {
    ok = check_rsa(fields);
  } else if (type == "ssh-ed25519" || type == "sk-ssh-ed25519@openssh.com") {
    ok = check_ed25519(fields);
  } else if (type == "sk-ecdsa-sha2-nistp256@openssh.com") {
    ok = check_point(fields, curves[0]);
  } else {
    for (const auto& c : curves) {
      if (type == "ecdsa-sha2-" + std::string(c.name)) {
        ok = check_point(fields, c);
      }
    }
  }
  if (ok && token) {
    ok = check_application(fields);
  }
  return ok;
}

std::string_view take_word(std::string_view& line) {
  const auto begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

result<ssh_public_key> parse_ssh_public_key(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) {
    line.remove_suffix(1);
  }
  if (line.find("PRIVATE KEY") != std::string_view::npos) {
    return wrong("is a private key: keep it to yourself and give the .pub file");
  }
  for (const char c : line) {
    if (static_cast<unsigned char>(c) < 32 && c != '\t') {
      return wrong("must be one key on one line");
    }
  }
  auto rest = line;
  ssh_public_key key;
  key.type = std::string(take_word(rest));
  const auto blob = decode_base64(take_word(rest));
  if (!blob) {
    return wrong("is not an SSH public key: it must look like \"ssh-ed25519 AAAA...\"");
  }
  key.blob = *blob;
  blob_reader fields(key.blob);
  const auto named = fields.next();
  if (!named || *named != key.type) {
    return wrong("is not an SSH public key: its type and its bytes do not agree");
  }
  if (const auto ok = check_fields(key.type, fields); !ok) {
    return tl::unexpected(ok.error());
  }
  if (!fields.at_end()) {
    return wrong("is not a complete SSH key");
  }
  return key;
}

}  // namespace slipway::domain
