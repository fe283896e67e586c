#pragma once

#include "messages/value.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a user's row says of logging in: how names are compared, and secrets that work once.
namespace slipway::domain {

/// Sessions of one user; the one that ends first makes room for the next.
constexpr std::size_t sessions_max = 100;

/// How user names and e-mail addresses are compared: ASCII letters of either case are the same.
[[nodiscard]] std::string name_key(std::string_view name);

/// The recovery codes that are left once `hash` is used, both as their hashes separated by spaces; nothing when it is not among them.
[[nodiscard]] std::optional<std::string> without_recovery_code(
  std::string_view codes,
  std::string_view hash);

/// What a user's row becomes when its second factor is taken away.
[[nodiscard]] std::vector<messages::field_value> without_second_factor();

}  // namespace slipway::domain
