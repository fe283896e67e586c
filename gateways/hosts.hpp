#pragma once

#include <string_view>

namespace slipway::gateways {

/// What answers under a host name.
enum class host_service {
  api,  ///< the API with everything that shares its addresses: log uploads, the pages of a browser login
  registry,   ///< images, and nothing else
  analytics,  ///< usage reports of clients, which are dropped
  builder,    ///< sources in, build output out
  git,        ///< repositories, below the root
  authority,  ///< the root certificate
  absent,     ///< a name of the domain that nothing answers for; `reason` says what it would be
  foreign,    ///< not a name of the domain
};

struct host_choice {
  host_service service = host_service::foreign;
  const char* reason = "";
};

/// The hosts of a domain as clients know them (balena-api.md 1.3). `host` is without port, in lower case, and hostile; `domain` is in
/// lower case and not empty.
[[nodiscard]] host_choice find_host(std::string_view host, std::string_view domain);

/// Is this the address of a peer on this machine?
[[nodiscard]] bool is_loopback(std::string_view peer);

}  // namespace slipway::gateways
