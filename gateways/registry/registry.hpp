#pragma once

#include "actors/uploads.hpp"
#include "gateways/registry/token.hpp"
#include "runtime/http_server.hpp"
#include "storage/blob_store.hpp"
#include "storage/repository_store.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace slipway::gateways {

struct registry_options {
  std::string service;  ///< what the challenge names as service; the tokens' audience
  std::string realm;  ///< URL of the token endpoint; "" = /auth/v1/token of the host that was asked
  int blocking_threads = 8;      ///< for writes and syncs; more requests wait their turn
  std::size_t bodies_max = 256;  ///< uploads receiving at once; further ones are answered 429
  std::size_t buffer_bytes = std::size_t{512} * 1024;  ///< per upload that is receiving
  std::uint64_t blob_bytes_max = std::uint64_t{64} * 1024 * 1024 * 1024;
  std::size_t manifest_cache_bytes = std::size_t{8} * 1024 * 1024;
};

/// What the registry stands on; outlives it.
struct registry_parts {
  storage::blob_store& blobs;
  storage::repository_store& repositories;
  actors::uploads& uploads;
  token_authority& tokens;
};

/// The OCI distribution API under /v2/ (docs/protocols/registry.md). Every request but GET /v2/ names a repository and needs a
/// token whose `access` lists it.
class registry {
public:
  virtual ~registry() = default;
  virtual runtime::awaitable<void> handle(runtime::exchange& x) = 0;
};

[[nodiscard]] std::unique_ptr<registry> make_registry(registry_parts parts, registry_options o);

}  // namespace slipway::gateways
