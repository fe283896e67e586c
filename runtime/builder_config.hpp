#pragma once

#include "messages/fields.hpp"
#include "runtime/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace slipway::runtime {

/// All that a build worker is told. `slipwayd serve` gives it to its own as one JSON object on standard input: it holds a secret.
struct builder_config {
  std::string core;        ///< endpoint of the core, `tcp://host:port`
  std::string server_key;  ///< pinned
  std::string public_key;
  std::string secret_key;
  std::string name;
  std::string engine;         ///< `unix:///...`
  std::uint32_t slots = 0;    ///< services built at a time, 0 = one per core
  std::string work_dir;       ///< its own; emptied at start
  bool open_network = false;  ///< builds may reach the host and each other
  std::string log_level = "info";
  std::string log_format = "text";
  SLIPWAY_FIELDS(
    core,
    server_key,
    public_key,
    secret_key,
    name,
    engine,
    slots,
    work_dir,
    open_network,
    log_level,
    log_format)
};

/// Either a configuration, or a text to print and a status to exit with.
struct builder_outcome {
  std::optional<builder_config> config = {};
  std::string text = {};
  int exit_code = 0;
};

/// Settings of `slipwayd builder`; the keys and the name come from its join token.
[[nodiscard]] const command_settings& builder_settings();
[[nodiscard]] builder_outcome load_builder_config(
  const std::vector<std::string>& arguments,
  const environment& env);

}  // namespace slipway::runtime
