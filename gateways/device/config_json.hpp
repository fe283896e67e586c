#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways::device {

/// What a request for a device configuration asks (balena-api.md 8.10), checked.
struct config_request {
  std::int64_t application = 0;
  std::string version;      ///< of the operating system
  std::string device_type;  ///< slug or alias, "" = the fleet's
  std::int64_t poll_ms = 60'000;
  bool wifi = false;
  std::string wifi_ssid, wifi_key;
  std::string ip, netmask, gateway;  ///< all or none
  bool development = false;
  bool secure_boot = false;
  std::string key_name, key_description;
  std::int64_t key_expires = 0;  ///< ms since 1970, 0 = never
  std::int64_t key_uses = 0;     ///< devices it may register, 0 = without end
};

/// `members` of the query or the body. Numbers and switches may be texts. Errors: invalid_argument naming the member.
[[nodiscard]] messages::result<config_request> parse_config_request(
  const nlohmann::json& members,
  std::int64_t now_ms);

/// What the server adds.
struct config_facts {
  std::string device_type;  ///< slug
  std::int64_t user = 0;
  std::string key;  ///< provisioning key
  std::string api_url;
  std::string registry_host;
  std::string vpn_host;  ///< told for clients that expect it; nothing serves OpenVPN there
  std::string delta_url;
  std::string logs_url;  ///< "" = the API's
  std::string root_ca;   ///< PEM, "" = the server's certificate is publicly trusted
  std::string overlay_endpoint;
  std::string overlay_server_key;
};

/// The configuration. `copied` names members of the request that the device type asks for and that are handed on as they came.
[[nodiscard]] nlohmann::json config_json(
  const config_request& request,
  const config_facts& facts,
  const nlohmann::json& members,
  const std::vector<std::string>& copied);

}  // namespace slipway::gateways::device
