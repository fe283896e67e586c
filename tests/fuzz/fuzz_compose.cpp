#include "domain/compose.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>

/// Whatever the bytes: no crash, and an accepted file yields services that all have an entry in the composition.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto c = slipway::domain::parse_compose(
    std::string_view(reinterpret_cast<const char*>(data), size),
    "docker-compose.yml");
  if (!c) {
    SLIPWAY_ASSERT(!c.error().detail.empty());
    return 0;
  }
  SLIPWAY_ASSERT(!c->services.empty());
  for (const auto& s : c->services) {
    SLIPWAY_ASSERT(slipway::domain::valid_service_name(s.name));
    SLIPWAY_ASSERT(c->json["services"].contains(s.name));
    SLIPWAY_ASSERT(s.build.has_value() || !s.image.empty());
  }
  return 0;
}
