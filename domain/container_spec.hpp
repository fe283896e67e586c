#pragma once

#include "domain/desired_state.hpp"

namespace slipway::domain {

/// A compose service as the engine's create body, key by key (facts: docker Engine API v1.40, "ContainerCreate"; compose
/// specification, "services"). Unknown keys and values that make no sense add a warning and are left out. Host bind
/// mounts are refused that way too.
/// `volume_name` and `network_name` turn compose names into the engine's.
struct spec_context {
  const target_app& app;
  const device_context& device;
  std::string (*volume_name)(const target_app&, std::string_view name, std::string_view device);
  std::string (*network_name)(const target_app&, std::string_view name, std::string_view device);
};

struct container_spec {
  desired_service service;
  std::vector<std::string> volumes;   ///< compose names that it mounts
  std::vector<std::string> networks;  ///< compose names that it joins
};

[[nodiscard]] container_spec make_spec(
  const target_service& service,
  const spec_context& context,
  std::vector<std::string>& warnings);

}  // namespace slipway::domain
