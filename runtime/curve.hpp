#pragma once

#include "messages/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace slipway::runtime {

/// A CURVE key pair as Z85 text, 40 characters each.
struct curve_keys {
  std::string public_key;
  std::string secret_key;
};

[[nodiscard]] curve_keys make_curve_keys();
/// Errors: invalid_argument when it is not 40 characters of Z85.
[[nodiscard]] messages::result<std::string> curve_public_of(std::string_view secret_key);
/// 40 characters that decode as Z85.
[[nodiscard]] bool is_curve_key(std::string_view text);

/// Writes the pair to a file that only its owner may read (0600), synced and renamed into place: the file is whole or not there.
[[nodiscard]] messages::result<void> store_curve_keys(
  const std::filesystem::path& file,
  const curve_keys& keys);
/// Errors: not_found, corrupt (not a key file, or the halves do not belong together), forbidden (others may read it), io_failed.
[[nodiscard]] messages::result<curve_keys> load_curve_keys(const std::filesystem::path& file);
/// Loads the file, or makes a pair and stores it when there is none.
[[nodiscard]] messages::result<curve_keys> load_or_make_curve_keys(
  const std::filesystem::path& file);

}  // namespace slipway::runtime
