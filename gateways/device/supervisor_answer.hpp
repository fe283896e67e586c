#pragma once

#include "messages/edge_bus.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace slipway::gateways::device {

/// What a client is told of one call to a device.
struct supervisor_answer {
  int status = 502;
  std::string
    content_type;  ///< `application/json; charset=utf-8`, `text/plain; charset=utf-8` or "" = no body
  std::string body;
};

/// Body of the 404 when no device can be asked: the CLI looks for this text.
inline constexpr std::string_view no_online_device = "No online device(s) found";

/// Devices' answers are hostile input: JSON passes when it parses, text when it could not be taken for markup, anything else
/// becomes a 500. `logs`: the path answers with whatever containers wrote, so any text passes.
[[nodiscard]] supervisor_answer answer_of(const messages::call_result& r, bool logs);

/// `{statusCode, body}`, as several devices are answered.
[[nodiscard]] nlohmann::json entry_of(const supervisor_answer& a);

}  // namespace slipway::gateways::device
