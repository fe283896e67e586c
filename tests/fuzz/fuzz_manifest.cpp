#include "gateways/registry/manifest.hpp"
#include "gateways/registry/names.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>

using namespace slipway;

namespace {

void check_manifest(std::string_view bytes) {
  const auto m = gateways::parse_manifest(bytes, "");
  if (!m) {
    SLIPWAY_ASSERT(!m.error().detail.empty());
    return;
  }
  SLIPWAY_ASSERT(m->index ? m->blobs.empty() : m->manifests.empty());
  SLIPWAY_ASSERT(m->subject.empty() || storage::parse_digest(m->subject).has_value());
  SLIPWAY_ASSERT(
    m->annotations.empty() || (m->annotations.front() == '{' && m->annotations.back() == '}'));
  for (const auto* list : {&m->blobs, &m->manifests}) {
    SLIPWAY_ASSERT(list->size() <= gateways::manifest_descriptors_max + 1);
    for (const auto& d : *list) {
      SLIPWAY_ASSERT(storage::parse_digest(d.id.text).has_value());
    }
  }
}

void check_path(std::string_view path) {
  const auto route = gateways::parse_registry_path(path);
  if (gateways::valid_repository(route.repository)) {
    SLIPWAY_ASSERT(route.repository.find("..") == std::string::npos);
    SLIPWAY_ASSERT(route.repository.find('\0') == std::string::npos);
  }
}

}  // namespace

/// Whatever the bytes: no crash; an accepted manifest names well formed digests only, a valid name climbs nowhere.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_manifest(bytes);
  check_path(bytes);
  return 0;
}
