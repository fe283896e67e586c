#pragma once

#include "domain/target_state.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

// Labels on everything that an agent makes. They are its identity; names are for people. docs/protocols/agent.md
inline constexpr auto label_supervised = "io.balena.supervised";
inline constexpr auto label_device = "io.slipway.device";  ///< uuid: agents may share an engine
inline constexpr auto label_app_id = "io.balena.app-id";
inline constexpr auto label_app_uuid = "io.balena.app-uuid";
inline constexpr auto label_service_id = "io.balena.service-id";
inline constexpr auto label_service_name = "io.balena.service-name";
inline constexpr auto label_name = "io.slipway.name";  ///< compose name of a network or volume
inline constexpr auto label_config =
  "io.slipway.config";  ///< hash of what the object was made from

/// One network of a container: the engine's name and the endpoint as `POST /networks/x/connect` takes it.
struct desired_endpoint {
  std::string network;
  nlohmann::json config = nlohmann::json::object();
};

/// A service in the engine's words.
struct desired_service {
  std::string service;
  std::int64_t image_id = 0;
  std::string image;  ///< reference to pull
  std::string
    image_key;  ///< equal for equal content: hex digest, or the hash of a reference that has none
  std::string container_name;
  std::string config_hash;
  nlohmann::json body;  ///< of `POST /containers/create`, without Image
  std::vector<desired_endpoint> networks;
  std::vector<std::string> after;  ///< services that must have started before
  std::string shares_network_of;   ///< service name, for `network_mode: service:x`
  bool running = true;
  int stop_seconds = 10;
};

/// A network or volume.
struct desired_object {
  std::string name;  ///< in the compose file
  std::string engine_name;
  std::string config_hash;
  nlohmann::json body;  ///< of the engine's create call
};

struct desired_app {
  std::string uuid;
  std::int64_t id = 0;
  std::string name;
  std::string commit;  ///< "" = the app has no release
  std::int64_t release_id = 0;
  std::map<std::string, desired_service> services;
  std::map<std::string, desired_object> networks;  ///< by compose name
  std::map<std::string, desired_object> volumes;   ///< by compose name
};

struct desired_state {
  std::map<std::string, desired_app> apps;
  std::vector<std::string> warnings;  ///< keys that were ignored or refused, for people
};

/// What a container's making depends on beside the target.
struct device_context {
  std::string uuid;
  std::string device_type;
  std::string device_arch;
  std::string os_version;
  std::string name_at_init;  ///< not part of the hash: renaming a device restarts nothing
  std::string (*hash)(std::string_view) = nullptr;  ///< hex of a collision-resistant hash
};

/// Host apps are left out: the host updates itself.
[[nodiscard]] desired_state make_desired(const target_state& target, const device_context& device);

/// Short form of the device in names, so that devices on one engine do not collide.
[[nodiscard]] std::string device_suffix(std::string_view uuid);
/// Tag by which an agent holds on to an image: `localhost/slipway/<device>:<key>`.
[[nodiscard]] std::string keep_repository(std::string_view uuid);
[[nodiscard]] std::string image_key_of(
  std::string_view image,
  std::string (*hash)(std::string_view));

/// What a container's name says about its release; names are rewritten when only the release changed.
struct container_identity {
  std::string service;
  std::int64_t image_id = 0;
  std::int64_t release_id = 0;
  std::string commit;
};
[[nodiscard]] std::string container_name(const container_identity& identity, std::string_view uuid);
/// A name that an agent did not give yields an identity with empty commit.
[[nodiscard]] container_identity parse_container_name(std::string_view name, std::string_view uuid);

}  // namespace slipway::domain
