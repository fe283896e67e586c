#pragma once

#include "domain/draft.hpp"

#include <cstdint>
#include <functional>

namespace slipway::domain {

/// The catalog that a new installation begins with: processor architectures, device types with their aliases, the default
/// application type. `next_id` gives ids in the catalog's partition.
void seed_catalog(draft& d, const std::function<std::int64_t()>& next_id);

}  // namespace slipway::domain
