#include "storage/blob_store.hpp"

#include <algorithm>

namespace slipway::storage {
namespace {

bool lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

}  // namespace

messages::result<digest> parse_digest(std::string_view text) {
  const auto colon = text.find(':');
  const auto algorithm = text.substr(0, colon);
  const auto hex = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  const bool known =
    (algorithm == "sha256" && hex.size() == 64) || (algorithm == "sha512" && hex.size() == 128);
  if (!known || !lower_hex(hex)) {
    return messages::fail(messages::errc::digest_invalid, "a digest is sha256: or sha512: and hex");
  }
  return digest{std::string(text)};
}

}  // namespace slipway::storage
