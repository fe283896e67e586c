#pragma once

#include "storage/store.hpp"

#include <memory>

namespace slipway::storage {

/// Leases of one process, in memory: embedded mode has one node, and its leases end with it. Any thread.
[[nodiscard]] std::shared_ptr<lease_store> make_local_lease_store();

}  // namespace slipway::storage
