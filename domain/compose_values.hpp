#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// Readers for the loose types of compose files. Absent or malformed gives nothing; the caller warns.

/// `"512m"`, `"1.5gb"`, 1024.
[[nodiscard]] std::optional<std::int64_t> compose_bytes(const nlohmann::json& value);
/// `"1m30s"`, `"500ms"`, 10 (seconds); in ns.
[[nodiscard]] std::optional<std::int64_t> compose_duration_ns(const nlohmann::json& value);
/// Text, number or boolean as text.
[[nodiscard]] std::optional<std::string> compose_text(const nlohmann::json& value);
/// A number, or text that is one.
[[nodiscard]] std::optional<double> compose_number(const nlohmann::json& value);
[[nodiscard]] std::optional<bool> compose_bool(const nlohmann::json& value);
/// A list of texts; one text counts as a list of one.
[[nodiscard]] std::vector<std::string> compose_list(const nlohmann::json& value);
/// A command: a list as it is, a text split as a shell would split words.
[[nodiscard]] std::optional<std::vector<std::string>> compose_command(const nlohmann::json& value);
/// `{A: b}` or `["A=b"]`. Null values are left out.
[[nodiscard]] std::map<std::string, std::string> compose_map(
  const nlohmann::json& value,
  char separator = '=');

}  // namespace slipway::domain
