#pragma once

#include "domain/schema.hpp"

#include <memory>

namespace slipway::domain {

/// The resource model of the platform (balena's v7 model and Slipway's additions). One instance a process.
/// Numbers come from the order of the lists: append only. `tests/golden/resource_model.txt` guards that.
[[nodiscard]] std::shared_ptr<const schema> resource_model();

}  // namespace slipway::domain
