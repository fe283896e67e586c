#pragma once

#include "runtime/curve.hpp"
#include "runtime/server/admin_office.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace slipway::runtime {

/// The server's side of the bus that build workers join; the pair is made when there is none yet.
[[nodiscard]] messages::result<curve_keys> builder_keys(const std::string& data_dir);
/// The half that workers pin.
[[nodiscard]] messages::result<std::string> builder_public_key(const std::string& data_dir);

/// `slipwayd admin builder ...` (docs/builders.md). `add` makes a key pair and answers the join token, which is kept nowhere. Errors:
/// invalid_argument (name), unique_violated, not_found and those of the log.
[[nodiscard]] messages::result<nlohmann::json> add_builder(
  const admin_port& port,
  const nlohmann::json& request);
[[nodiscard]] messages::result<nlohmann::json> list_builders(
  const admin_port& port,
  const nlohmann::json& request);
[[nodiscard]] messages::result<nlohmann::json> remove_builder(
  const admin_port& port,
  const nlohmann::json& request);

}  // namespace slipway::runtime
