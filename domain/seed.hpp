#pragma once

#include "domain/draft.hpp"

#include <cstdint>
#include <functional>

namespace slipway::domain {

/// The catalog that an installation has: processor architectures, device types with their aliases, the default application type,
/// the roles of members. Adds what is missing, so it also brings an older installation up to date; changes nothing that is there.
/// `next_id` gives ids in the catalog's partition.
void seed_catalog(draft& d, const std::function<std::int64_t()>& next_id);

/// Makes members from before there were roles what they were: administrators of their organization.
void seed_member_roles(draft& d, std::int64_t organization);

}  // namespace slipway::domain
