#pragma once

#include "actors/uploads.hpp"
#include "gateways/registry/storage_quota.hpp"
#include "gateways/registry/token.hpp"
#include "runtime/http_server.hpp"
#include "storage/blob_store.hpp"
#include "storage/linked_blobs.hpp"
#include "storage/repository_store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace slipway::gateways {

class mirrors;

struct registry_options {
  std::string service;  ///< what the challenge names as service; the tokens' audience
  std::string realm;  ///< URL of the token endpoint; "" = /auth/v1/token of the host that was asked
  int blocking_threads = 8;      ///< for writes and syncs; more requests wait their turn
  std::size_t bodies_max = 256;  ///< uploads receiving at once; further ones are answered 429
  /// Manifests of more than manifest_usual_bytes that are received or checked at once; further ones are answered 429.
  std::size_t large_manifests_max = 16;
  std::size_t buffer_bytes = std::size_t{512} * 1024;  ///< per upload that is receiving
  std::uint64_t blob_bytes_max = std::uint64_t{64} * 1024 * 1024 * 1024;
  std::size_t manifest_cache_bytes = std::size_t{8} * 1024 * 1024;
  /// A pusher's HEAD counts as use; noted again only after this long, so that most cost no write. Less than the grace period.
  std::int64_t touch_every_ms = std::int64_t{60} * 60 * 1000;
  std::function<std::int64_t()> now_ms;  ///< never empty
  /// What tells whether the bearer of a token with the scope of the catalog sees a repository in it; empty = all of them. Used for one
  /// answer and on one thread. May block for a lookup.
  std::function<std::function<bool(const std::string& repository)>(const registry_claims&)>
    may_list;
  storage_quota* quota = nullptr;  ///< outlives the registry; none = repositories take in anything
  /// Whether there is space left on the disk, asked at each push and for every buffer of its body; empty = yes. Errors: disk_full.
  std::function<messages::result<void>()> disk;
};

/// What the registry stands on; outlives it.
struct registry_parts {
  storage::blob_store& blobs;
  storage::repository_store& repositories;
  storage::linked_blobs& links;
  actors::uploads& uploads;
  token_authority& tokens;
  gateways::mirrors* mirrors = nullptr;  ///< none = nothing is fetched from elsewhere
  /// May the bearer of this token still do `action` to the repository? Asked at each request, for a token outlives the key, session or
  /// role it was made from. Unset = as the token says.
  std::function<bool(const registry_claims&, const std::string& repository, const char* action)>
    still_may = {};
};

/// The OCI distribution API under /v2/ (docs/protocols/registry.md). Every request but GET /v2/ names a repository and needs a
/// token whose `access` lists it.
class registry {
public:
  virtual ~registry() = default;
  virtual runtime::awaitable<void> handle(runtime::exchange& x) = 0;
  /// Ends fetches from elsewhere and waits for what its threads do. After the HTTP server has stopped and before it goes: answers
  /// return to its threads' loops. What is still asked afterwards is never answered.
  virtual void stop() = 0;
};

[[nodiscard]] std::unique_ptr<registry> make_registry(registry_parts parts, registry_options o);

}  // namespace slipway::gateways
