#pragma once

#include "messages/error.hpp"
#include "storage/repository_store.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::gateways {

constexpr std::size_t manifest_bytes_max = std::size_t{4} * 1024 * 1024;
constexpr std::size_t manifest_descriptors_max = 10'000;
constexpr int manifest_depth_max = 32;
/// Of any kind and at any depth: the memory of a parsed value is up to 60 times its bytes.
constexpr std::size_t manifest_values_max = 100'000;

/// Something that a manifest refers to.
struct descriptor {
  storage::digest id;
  std::uint64_t size = 0;
  std::string media_type;
};

struct parsed_manifest {
  std::string media_type;
  bool index = false;                 ///< refers to manifests rather than blobs
  std::vector<descriptor> blobs;      ///< must be in the repository: config and layers
  std::vector<descriptor> manifests;  ///< must be in the repository: members of an index
  std::string
    subject;  ///< digest of what it says something about, which need not be here; "" if none
  std::string artifact_type;  ///< its own, else its config's media type; "" if none
  std::string annotations;    ///< a JSON object, "" if none
};

/// Checks a manifest of the Docker v2 schema 2 and OCI types. Layers that are fetched elsewhere (foreign, with `urls`) need not be
/// here and are left out. `content_type` is the request's; "" takes the body's mediaType.
/// Errors: manifest_invalid, unsupported (schema 1), digest_invalid.
[[nodiscard]] messages::result<parsed_manifest> parse_manifest(
  std::string_view bytes,
  std::string_view content_type);

/// What the repository store is told of it.
[[nodiscard]] storage::new_manifest
manifest_to_store(const parsed_manifest& m, const storage::digest& d, std::uint64_t size);

}  // namespace slipway::gateways
