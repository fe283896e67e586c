#include "gateways/registry/conditions.hpp"
#include "gateways/registry/content_range.hpp"
#include "runtime/assert.hpp"
#include "runtime/http_text.hpp"

#include <cstddef>
#include <cstdint>

using namespace slipway;

namespace {

void check_range(std::string_view field, std::uint64_t size) {
  runtime::byte_range range{};
  if (runtime::parse_range(field, size, range) == runtime::range_kind::satisfiable) {
    SLIPWAY_ASSERT(range.first <= range.last && range.last < size);
  }
}

void check_chunk(std::string_view field) {
  if (const auto range = gateways::parse_chunk_range(field); range) {
    SLIPWAY_ASSERT(
      range->first <= range->last && range->size() > 0 && range->last + 1 > range->last);
  }
}

}  // namespace

/// Whatever the bytes: no crash; a range that is served lies within what there is, and a chunk's end does not overflow.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const auto of :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    check_range(bytes, of);
    check_range("bytes=" + std::string(bytes), of);
  }
  check_chunk(bytes);
  const auto half = bytes.size() / 2;
  (void)gateways::check_conditions(bytes.substr(0, half), bytes.substr(half), "sha256:ab");
  (void)gateways::range_applies(bytes, "sha256:ab");
  return 0;
}
