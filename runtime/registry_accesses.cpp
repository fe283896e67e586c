#include "runtime/registry_accesses.hpp"

namespace slipway::runtime {

namespace {

constexpr const char* hub_key = "https://index.docker.io/v1/";

std::string key_of(std::string_view host) {
  const bool hub = host.empty() || host == "docker.io" || host == "index.docker.io";
  return hub ? hub_key : std::string(host);
}

}  // namespace

registry_accesses accesses_of(const std::vector<messages::registry_secret>& secrets) {
  registry_accesses out;
  for (const auto& s : secrets) {
    registry_access a;
    a.username = s.username;
    a.password = s.password;
    a.server_address = key_of(s.host);
    out[a.server_address] = a;
  }
  return out;
}

registry_access access_for(const registry_accesses& all, std::string_view image) {
  const auto slash = image.find('/');
  const auto first = image.substr(0, slash);
  const bool named =
    slash != std::string_view::npos
    && (first.find_first_of(".:") != std::string_view::npos || first == "localhost");
  const auto it = all.find(key_of(named ? first : std::string_view{}));
  return it == all.end() ? registry_access{} : it->second;
}

}  // namespace slipway::runtime
