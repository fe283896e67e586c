#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace slipway::runtime {

/// The answer of an administrator's command for people: a table, or a line.
[[nodiscard]] std::string admin_text(const std::string& command, const nlohmann::json& answer);

}  // namespace slipway::runtime
