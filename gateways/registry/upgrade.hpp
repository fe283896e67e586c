#pragma once

#include "storage/repository_store.hpp"

#include <cstdint>

namespace slipway::gateways {

/// Records of the first format lack what the collector and the list of referrers need; this adds it, from the manifests' bytes. Does
/// nothing on a store that is up to date. Must end well before anything is collected. Errors: io_failed, corrupt.
[[nodiscard]] messages::result<void> upgrade_repositories(
  const storage::blob_store& blobs,
  storage::repository_store& repositories,
  std::int64_t now_ms);

}  // namespace slipway::gateways
