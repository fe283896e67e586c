#pragma once

#include "domain/schema.hpp"

#include <memory>

namespace slipway::domain {

/// The resource model of the platform (balena's v7 model and Slipway's additions). One instance a process.
/// Numbers come from the order of the lists: append only. `tests/golden/resource_model.txt` guards that.
[[nodiscard]] std::shared_ptr<const schema> resource_model();

/// The same rows as version 6 of the API names and shows them: `resource_model()` with the differences of balena-api.md 3.10, ADR 51.
/// Numbers mean the same in both; numbers beyond those of a v7 resource, and `gateway_download`, have nothing stored.
[[nodiscard]] std::shared_ptr<const schema> resource_model_v6();

}  // namespace slipway::domain
