#include "gateways/hosts.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace slipway::gateways {

namespace {

constexpr auto absent = host_service::absent;

/// By the label before the domain; the domain itself has none.
constexpr std::array<std::pair<std::string_view, host_choice>, 14> labels{{
  {"", {host_service::api}},
  {"api", {host_service::api}},
  {"dashboard", {host_service::api}},
  {"logs", {host_service::api}},
  {"registry2", {host_service::registry}},
  {"data", {host_service::analytics}},
  {"ca", {host_service::authority}},
  {"builder", {host_service::builder}},
  {"delta", {absent, "this server makes no deltas: devices pull whole layers"}},
  {"tunnel", {absent, "this server has no tunnels to devices"}},
  {"vpn", {absent, "this server has no OpenVPN: devices use its overlay"}},
  {"cloudlink", {absent, "this server has no OpenVPN: devices use its overlay"}},
  {"git", {host_service::git}},
  {"devices", {absent, "name a device: <uuid>.devices.<domain>"}},
}};

constexpr host_choice device_host{absent, "this server publishes no ports of devices"};
constexpr host_choice unknown_label{absent, "no service of this server has that name"};

}  // namespace

host_choice find_host(std::string_view host, std::string_view domain) {
  if (host.ends_with('.')) {
    host.remove_suffix(1);
  }
  if (!host.ends_with(domain)) {
    return {};
  }
  host.remove_suffix(domain.size());
  if (!host.empty()) {
    if (host.back() != '.' || host.size() == 1) {
      return {};
    }
    host.remove_suffix(1);
  }
  if (host.ends_with(".devices")) {
    return device_host;
  }
  const auto* const at =
    std::find_if(labels.begin(), labels.end(), [host](const auto& l) { return l.first == host; });
  return at != labels.end() ? at->second : unknown_label;
}

bool is_loopback(std::string_view peer) {
  constexpr std::string_view mapped = "::ffff:";
  if (peer.starts_with(mapped)) {
    peer.remove_prefix(mapped.size());
  }
  return peer.starts_with("127.") || peer == "::1";
}

}  // namespace slipway::gateways
