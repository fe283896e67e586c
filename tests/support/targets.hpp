#pragma once

#include "domain/desired_state.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace slipway::tests {

inline const std::string device_uuid = "0123456789abcdef0123456789abcdef";
inline const std::string app_uuid = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0";

/// Not for security: tests only need it to differ.
inline std::string plain_hash(std::string_view text) {
  return std::to_string(std::hash<std::string_view>{}(text));
}

inline domain::device_context a_device() {
  return {device_uuid, "generic-amd64", "amd64", "Debian 12", "red-fox", plain_hash};
}

/// `image:x` gives `registry.local/v2/x@sha256:...`, digest made of the character x.
inline nlohmann::json service_json(
  std::int64_t image_id,
  char content,
  nlohmann::json composition = nlohmann::json::object()) {
  return {
    {"id", 7},
    {"image_id", image_id},
    {"image",
     "registry.local/v2/" + std::to_string(image_id) + "@sha256:" + std::string(64, content)},
    {"environment", nlohmann::json::object()},
    {"labels", nlohmann::json::object()},
    {"composition", std::move(composition)}};
}

inline nlohmann::json release_json(std::int64_t id, nlohmann::json services) {
  return {{"id", id}, {"services", std::move(services)}};
}

inline nlohmann::json target_json(
  const std::string& commit,
  nlohmann::json release,
  const std::string& uuid = device_uuid) {
  nlohmann::json app = {{"id", 12}, {"name", "hello"}, {"class", "fleet"}};
  if (!commit.empty()) {
    app["releases"][commit] = std::move(release);
  }
  return {
    {uuid,
     {{"name", "red-fox"}, {"config", nlohmann::json::object()}, {"apps", {{app_uuid, app}}}}}};
}

inline domain::desired_state desired_of(const nlohmann::json& body) {
  const auto target = domain::parse_target(body, device_uuid);
  if (!target) {
    throw std::runtime_error(target.error().detail);
  }
  return domain::make_desired(*target, a_device());
}

}  // namespace slipway::tests
