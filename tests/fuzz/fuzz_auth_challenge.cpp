#include "gateways/registry/auth_challenge.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>

/// What another registry's WWW-Authenticate may say: no crash; names are in lower case and values without their quotes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto c = slipway::gateways::parse_challenge({reinterpret_cast<const char*>(data), size});
  if (!c) {
    return 0;
  }
  for (const auto& [name, value] : c->parameters) {
    SLIPWAY_ASSERT(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ=") == std::string::npos);
    SLIPWAY_ASSERT(name.size() + value.size() < size);
  }
  return 0;
}
