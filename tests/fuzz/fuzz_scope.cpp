#include "gateways/registry/scope.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>

/// Whatever the bytes: no crash, no more scopes than the limit, names without tricks, only known actions.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto scopes = slipway::gateways::parse_scopes({bytes, bytes});
  SLIPWAY_ASSERT(scopes.size() <= slipway::gateways::scopes_max);
  for (const auto& s : scopes) {
    SLIPWAY_ASSERT(!s.name.empty() && s.name.find("..") == std::string::npos);
    SLIPWAY_ASSERT(s.actions.size() <= 3);
    for (const auto& action : s.actions) {
      SLIPWAY_ASSERT(
        (s.catalog && action == "*") || action == "pull" || action == "push" || action == "delete");
    }
  }
  return 0;
}
