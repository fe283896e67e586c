#pragma once

#include "agent/ports.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace slipway::agent {

/// What goes to the platform (balena API, "Device-facing API"). Requests only; deciding on answers is the callers' work.
class platform_api {
public:
  platform_api(http_port& http, std::string endpoint);

  struct reply {
    int status = 0;
    std::string body;
    std::string etag;
    std::optional<std::chrono::seconds> retry_after;
    [[nodiscard]] bool ok() const { return status >= 200 && status < 300; }
  };
  using result = messages::result<reply>;

  [[nodiscard]] result register_device(const nlohmann::json& body, const std::string& key);
  /// The device's row id; 0 when `key` may not see it or it is not there. Errors: no definite answer.
  [[nodiscard]] messages::result<std::int64_t> find_device(
    const std::string& uuid,
    const std::string& key);
  [[nodiscard]] result
  add_device_key(std::int64_t device, const std::string& new_key, const std::string& key);
  [[nodiscard]] result
  patch_device(std::int64_t device, const nlohmann::json& body, const std::string& key);
  /// `etag` "" = whatever there is.
  [[nodiscard]] result
  get_state(const std::string& uuid, const std::string& etag, const std::string& key);
  [[nodiscard]] result get_tags(const std::string& uuid, const std::string& key);
  /// `tags`: JSON, key -> text, null removes.
  [[nodiscard]] result
  patch_tags(const std::string& uuid, const std::string& tags, const std::string& key);
  [[nodiscard]] result patch_state(const nlohmann::json& body, const std::string& key);
  /// `records`: one JSON object a line. A good answer means that the platform has them on disk.
  [[nodiscard]] result
  post_logs(const std::string& uuid, std::string records, const std::string& key);

private:
  result call(runtime::http_request request, const std::string& key);
  http_port& http_;
  std::string endpoint_;
};

constexpr std::chrono::seconds api_timeout{59};
constexpr std::size_t target_bytes_max = 16U << 20U;  ///< a larger answer is an error
constexpr std::chrono::seconds retry_after_max{86'400};

}  // namespace slipway::agent
