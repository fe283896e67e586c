#include "cli/commands_trust.hpp"

#include "runtime/engine_trust.hpp"

namespace slipway::cli {

using messages::errc;

messages::result<void> trust_engine(context& c, const std::string& folder) {
  if (c.trusted.empty()) {
    return messages::fail(
      errc::invalid_argument,
      "which root certificate? Give the server's as --ca FILE or SLIPWAY_CA; an own authority's is "
      "at http://ca.DOMAIN/ca.pem");
  }
  const auto config = c.server.get("/config");
  if (!config) {
    return tl::unexpected(config.error());
  }
  const auto registry = text_of(*config, "registryHost");
  const auto written = runtime::trust_registry(folder, registry, c.trusted);
  if (!written) {
    return tl::unexpected(written.error());
  }
  if (c.out.json()) {
    c.out.print({{"registry", registry}, {"folder", folder}, {"changed", *written}});
  } else {
    c.out.line(
      *written ? "the engine trusts " + registry + " now"
               : "the engine trusts " + registry + " already");
  }
  return {};
}

}  // namespace slipway::cli
