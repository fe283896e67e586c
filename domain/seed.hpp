#pragma once

#include "domain/draft.hpp"
#include "domain/rules.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace slipway::domain {

/// The catalog that an installation has: processor architectures, device types with their aliases, the default application type,
/// the roles of members. Adds what is missing, so it also brings an older installation up to date; changes nothing that is there.
/// `next_id` gives ids in the catalog's partition.
void seed_catalog(draft& d, const std::function<std::int64_t()>& next_id);

/// Makes members from before there were roles what they were: administrators of their organization.
void seed_member_roles(draft& d, std::int64_t organization);

// What makes a device type one that clients list as supported: a public host application with a final release (balena-api.md 4.8). This
// server stores no operating systems, so the release has no version, and clients show none (ADR 50).

/// Device types that are not private and have no public host application.
[[nodiscard]] std::vector<std::int64_t> types_without_host(const row_source& rows);

/// The organization that such applications belong to, if it is there.
[[nodiscard]] std::optional<std::int64_t> host_provider(const row_source& rows);

/// Makes it; `c.entity` is the new organization. The answer is its id.
[[nodiscard]] decision seed_host_provider(draft& d, const rule_context& c);

/// Makes the host application of a device type with its release; `c.entity` is the new application.
[[nodiscard]] decision
seed_host(draft& d, const rule_context& c, std::int64_t device_type, std::int64_t provider);

}  // namespace slipway::domain
