#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// What a device should run, as the platform says it (balena API v3 target state). Compose bodies stay JSON: they are
/// read by `container_spec`, key by key, where an unknown key is a warning and not an error.
struct target_service {
  std::string name;
  std::int64_t id = 0;
  std::int64_t image_id = 0;
  std::string image;  ///< `host/repository[@sha256:...]`
  bool running = true;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> labels;
  nlohmann::json composition = nlohmann::json::object();
};

struct target_release {
  std::string commit;
  std::int64_t id = 0;
  std::map<std::string, target_service> services;
  std::map<std::string, nlohmann::json> volumes;   ///< name -> compose body
  std::map<std::string, nlohmann::json> networks;  ///< name -> compose body
};

struct target_app {
  std::string uuid;
  std::int64_t id = 0;
  std::string name;
  std::string app_class = "fleet";
  bool is_host = false;
  std::optional<target_release> release;
};

struct target_state {
  std::string name;  ///< of the device
  std::map<std::string, std::string> config;
  std::map<std::string, target_app> apps;
};

/// Strict and total: a body with one fault is refused as a whole and the target in force stays. A body without `uuid` is
/// a fault too, not an empty target. Errors: invalid_argument with the path of the fault.
[[nodiscard]] messages::result<target_state> parse_target(
  const nlohmann::json& body,
  std::string_view uuid);

/// Names of services that must have started before `service`: `depends_on` in both forms and `network_mode: service:x`.
[[nodiscard]] std::vector<std::string> dependencies_of(const target_service& service);

constexpr std::size_t target_name_bytes_max = 255;
constexpr std::size_t target_services_max = 256;  ///< of one release; more is refused

}  // namespace slipway::domain
