#pragma once

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <string>

namespace slipway::agent {

/// A line that the agent itself writes into the device's log.
struct log_say {
  std::string text;
  std::int64_t service = 0;  ///< row id, 0 = none
  bool error = false;
};
/// Whether logs are wanted at all (SUPERVISOR_LOG_CONTROL).
struct log_control {
  bool on = true;
};
struct log_tick {
  std::uint64_t round = 0;
};
/// To the uploader: there is something in the queue.
struct log_ready {};

}  // namespace slipway::agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::log_say)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::log_control)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::log_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::log_ready)
