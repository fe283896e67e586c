#pragma once

#include "domain/rule_hooks.hpp"

/// Which host operating system and which supervisor a device runs and should run (balena-api.md 3.4, 3.7). Internal to domain/.
namespace slipway::domain::hooks {

/// Are the releases that the device should be operated and managed by what they must be? Only targets that differ from before.
[[nodiscard]] checked check_host_targets(const draft& d, const change_set& set);

/// A device that tells which versions it runs, and is not told otherwise, should run these: fills in the targets, of releases that are
/// known. `device` is the row with what is new; only what differs from `before` counts.
void map_versions(const draft& d, const messages::row& before, messages::row& device);

/// Handles that say who provides hosts and supervisors. Only the platform names organizations so, or anybody could pass for it.
[[nodiscard]] bool is_reserved_handle(std::string_view handle);

/// What a device may say its variant of the host OS is; everything else is dropped.
[[nodiscard]] bool is_os_variant(std::string_view variant);

}  // namespace slipway::domain::hooks
