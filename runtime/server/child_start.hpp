#pragma once

#include "messages/error.hpp"
#include "messages/json.hpp"

#include <csignal>
#include <string>

/// How the processes that `serve` starts begin.
namespace slipway::runtime {

constexpr std::size_t child_config_bytes_max = 64U * 1024;

/// Standard input up to the first line end or its end.
[[nodiscard]] std::string read_config_line();

/// The one JSON object that the parent gave. Errors: invalid_argument.
template <class T>
messages::result<T> read_child_config() {
  const auto parsed = messages::parse_json(read_config_line());
  if (!parsed) {
    return tl::unexpected(parsed.error());
  }
  try {
    return parsed->get<T>();
  } catch (const nlohmann::json::exception& e) {
    return messages::fail(messages::errc::invalid_argument, e.what());
  }
}

/// SIGTERM and SIGINT are taken by `sigwait`, so every thread must be started with them blocked. SIGPIPE is ignored.
sigset_t block_stop_signals();

}  // namespace slipway::runtime
