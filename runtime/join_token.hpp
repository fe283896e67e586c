#pragma once

#include "messages/error.hpp"
#include "runtime/curve.hpp"

#include <string>
#include <string_view>

namespace slipway::runtime {

/// What lets one build worker join a server. A secret, as one word: `slipway-builder-<base64>`.
struct join_token {
  std::string name;        ///< of the worker
  std::string server_key;  ///< public, pinned by the worker
  curve_keys keys;         ///< the worker's own
};

[[nodiscard]] std::string write_join_token(const join_token& t);
/// Blanks around it do not matter. Errors: invalid_argument.
[[nodiscard]] messages::result<join_token> read_join_token(std::string_view text);
/// Lower-case letters, digits and `-`, at most 63, a letter or digit at both ends.
[[nodiscard]] bool is_builder_name(std::string_view name);
/// The worker that `slipwayd serve` runs itself.
constexpr const char* embedded_builder = "embedded";

}  // namespace slipway::runtime
