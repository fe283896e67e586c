#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// Parameters of a `Bearer` or `Basic` challenge, names in lower case; nothing when it is neither. Takes hostile bytes.
struct auth_challenge {
  bool bearer = false;
  std::map<std::string, std::string, std::less<>> parameters;
};
[[nodiscard]] std::optional<auth_challenge> parse_challenge(std::string_view field);

}  // namespace slipway::gateways
