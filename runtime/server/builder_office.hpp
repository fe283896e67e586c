#pragma once

#include "runtime/server/admin_office.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <utility>
#include <vector>

namespace slipway::runtime {

/// Where the server keeps the key pair that build workers pin.
[[nodiscard]] std::string builder_key_file(const std::string& data_dir);

/// The public half; the pair is made when there is none yet.
[[nodiscard]] messages::result<std::string> builder_public_key(const std::string& data_dir);

/// Name and public key of each registered build worker.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> registered_builders(
  const domain::row_source& rows);

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
