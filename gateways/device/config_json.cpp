#include "gateways/device/config_json.hpp"

#include "gateways/api/odata/date.hpp"
#include "runtime/crypto.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace slipway::gateways::device {
namespace {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

constexpr std::size_t text_bytes_max = 1024;
constexpr std::int64_t poll_minutes_max = std::int64_t{365} * 24 * 60;

tl::unexpected<messages::error> wrong(std::string_view name, std::string_view what) {
  return fail(errc::invalid_argument, "\"" + std::string(name) + "\" " + std::string(what));
}

/// A text without control characters: it may end up in files of key and value lines. Numbers are taken as their text.
result<std::string> text(const json& members, const char* name) {
  const auto it = members.find(name);
  if (it == members.end() || it->is_null()) {
    return std::string{};
  }
  auto found = it->is_number_integer() ? std::to_string(it->get<std::int64_t>())
               : it->is_string()       ? it->get<std::string>()
                                       : std::string{};
  if (!it->is_string() && !it->is_number_integer()) {
    return wrong(name, "must be a text");
  }
  const bool control =
    std::any_of(found.begin(), found.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (control || found.size() > text_bytes_max) {
    return wrong(name, "must be one line of at most 1024 bytes");
  }
  return found;
}

result<std::int64_t> integer(const json& members, const char* name) {
  const auto found = text(members, name);
  if (!found || found->empty()) {
    return found ? result<std::int64_t>(0) : tl::unexpected(found.error());
  }
  std::int64_t n = 0;
  const auto* const stop = found->data() + found->size();
  const auto [end, failed] = std::from_chars(found->data(), stop, n);
  if (failed != std::errc{} || end != stop || n < 0) {
    return wrong(name, "must be a whole number");
  }
  return n;
}

/// true, "true", "on" and 1 are on, as forms and scripts send them.
bool switched_on(const json& members, const char* name) {
  const auto it = members.find(name);
  if (it == members.end()) {
    return false;
  }
  return *it == true || *it == "true" || *it == "on" || *it == "1" || *it == 1;
}

bool is_ipv4(std::string_view text) {
  int parts = 0;
  while (parts < 4) {
    const auto dot = text.find('.');
    const auto part = text.substr(0, dot);
    int n = -1;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), n);
    const bool byte = failed == std::errc{} && end == part.data() + part.size() && n >= 0
                      && n <= 255 && part.size() <= 3;
    if (!byte) {
      return false;
    }
    ++parts;
    if (dot == std::string_view::npos) {
      return parts == 4;
    }
    text.remove_prefix(dot + 1);
  }
  return false;
}

result<void> read_address(const json& members, config_request& out) {
  const std::array<std::pair<const char*, std::string*>, 3> parts{
    {{"ip", &out.ip}, {"netmask", &out.netmask}, {"gateway", &out.gateway}}};
  std::size_t given = 0;
  for (const auto& [name, into] : parts) {
    auto found = text(members, name);
    if (!found) {
      return tl::unexpected(found.error());
    }
    if (!found->empty() && !is_ipv4(*found)) {
      return wrong(name, "must be an IPv4 address");
    }
    given += found->empty() ? 0U : 1U;
    *into = std::move(*found);
  }
  return given == 0 || given == parts.size()
           ? result<void>{}
           : fail(errc::invalid_argument, R"(a fixed address needs "ip", "netmask" and "gateway")");
}

result<void> read_network(const json& members, config_request& out) {
  auto network = text(members, "network");
  auto ssid = text(members, "wifiSsid");
  auto key = text(members, "wifiKey");
  for (const auto* part : {&network, &ssid, &key}) {
    if (!*part) {
      return tl::unexpected(part->error());
    }
  }
  if (!network->empty() && *network != "ethernet" && *network != "wifi") {
    return wrong("network", "must be ethernet or wifi");
  }
  out.wifi = *network == "wifi" || (network->empty() && !ssid->empty());
  if (out.wifi && ssid->empty()) {
    return wrong("wifiSsid", "is required");
  }
  out.wifi_ssid = std::move(*ssid);
  out.wifi_key = std::move(*key);
  return read_address(members, out);
}

result<void> read_key(const json& members, std::int64_t now_ms, config_request& out) {
  auto name = text(members, "provisioningKeyName");
  auto description = text(members, "provisioningKeyDescription");
  const auto date = text(members, "provisioningKeyExpiryDate");
  if (!name || !description || !date) {
    return tl::unexpected(!name ? name.error() : !description ? description.error() : date.error());
  }
  out.key_name = std::move(*name);
  out.key_description = std::move(*description);
  const auto uses = integer(members, "provisioningKeyUses");
  const auto given = members.find("provisioningKeyUses");
  if (!uses || (*uses == 0 && given != members.end() && !given->is_null() && *given != "")) {
    return wrong("provisioningKeyUses", "is a number of 1 or more");
  }
  out.key_uses = *uses;
  if (date->empty()) {
    return {};
  }
  const auto at = odata::parse_date(*date);
  if (!at) {
    return wrong("provisioningKeyExpiryDate", "is not a date");
  }
  if (*at <= now_ms) {
    return wrong("provisioningKeyExpiryDate", "is in the past");
  }
  out.key_expires = *at;
  return {};
}

/// `2.95.0+rev1.dev` is a development image.
bool is_development_version(std::string_view version) {
  return version.ends_with(".dev") || version.ends_with("+dev") || version.ends_with("-dev");
}

/// One fixed address as ConnMan's file of provisioned services has it, which is what early systems read.
std::string service_file(const config_request& r) {
  std::string out = r.wifi ? "[service_home_wifi]\nType = wifi\nName = " + r.wifi_ssid + "\n"
                           : "[service_home_ethernet]\nType = ethernet\n";
  if (r.wifi && !r.wifi_key.empty()) {
    out += "Passphrase = " + r.wifi_key + "\n";
  }
  return out + "IPv4 = " + r.ip + "/" + r.netmask + "/" + r.gateway + "\nNameservers = " + r.gateway
         + "\n";
}

void add_network(json& out, const config_request& r) {
  if (r.wifi) {
    out["wifiSsid"] = r.wifi_ssid;
    out["wifiKey"] = r.wifi_key;
  }
  if (!r.ip.empty()) {
    out["ip"] = r.ip;
    out["netmask"] = r.netmask;
    out["gateway"] = r.gateway;
    out["files"] = {{"network/network.config", service_file(r)}};
  }
}

}  // namespace

result<config_request> parse_config_request(const json& members, std::int64_t now_ms) {
  config_request out;
  const auto application = integer(members, "appId");
  auto version = text(members, "version");
  auto type = text(members, "deviceType");
  const auto minutes = integer(members, "appUpdatePollInterval");
  if (!application || *application == 0) {
    return wrong("appId", "is required");
  }
  if (!version || version->empty()) {
    return wrong("version", "is required");
  }
  if (!type) {
    return tl::unexpected(type.error());
  }
  if (!minutes || *minutes > poll_minutes_max) {
    return wrong("appUpdatePollInterval", "must be a number of minutes");
  }
  out.application = *application;
  out.version = std::move(*version);
  out.device_type = std::move(*type);
  out.poll_ms = *minutes > 0 ? *minutes * 60'000 : out.poll_ms;
  out.development = switched_on(members, "developmentMode") || is_development_version(out.version);
  out.secure_boot = switched_on(members, "secureboot");
  if (auto ok = read_network(members, out); !ok) {
    return tl::unexpected(ok.error());
  }
  if (auto ok = read_key(members, now_ms, out); !ok) {
    return tl::unexpected(ok.error());
  }
  return out;
}

json config_json(
  const config_request& request,
  const config_facts& facts,
  const json& members,
  const std::vector<std::string>& copied) {
  json out{
    {"applicationId", request.application},
    {"deviceType", facts.device_type},
    {"userId", facts.user},
    {"appUpdatePollInterval", request.poll_ms},
    {"listenPort", 48484},
    {"vpnPort", 443},
    {"vpnEndpoint", facts.vpn_host},
    {"apiEndpoint", facts.api_url},
    {"registryEndpoint", facts.registry_host},
    {"deltaEndpoint", facts.delta_url},
    {"mixpanelToken", "none"},
    {"apiKey", facts.key},
    {"overlayEndpoint", facts.overlay_endpoint},
    {"overlayServerKey", facts.overlay_server_key}};
  if (!facts.logs_url.empty()) {
    out["logsEndpoint"] = facts.logs_url;
  }
  if (!facts.root_ca.empty()) {
    out["balenaRootCA"] = runtime::base64(facts.root_ca);
  }
  add_network(out, request);
  if (request.development) {
    out["developmentMode"] = true;
  }
  if (request.secure_boot) {
    out["installer"] = {{"secureboot", true}};
  }
  static constexpr std::array own{"network", "wifiSsid", "wifiKey", "appUpdatePollInterval"};
  for (const auto& name : copied) {
    const auto it = members.find(name);
    const bool ours = out.contains(name) || std::find(own.begin(), own.end(), name) != own.end();
    if (it != members.end() && !ours && it->is_primitive()) {
      out[name] = *it;
    }
  }
  return out;
}

}  // namespace slipway::gateways::device
