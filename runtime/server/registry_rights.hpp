#pragma once

#include "gateways/registry/token_endpoint.hpp"
#include "gateways/services.hpp"

#include <memory>

namespace slipway::runtime {

// How the registry's token service knows who asks and what he may do: answered from the read model.
[[nodiscard]] gateways::identify registry_identify(std::shared_ptr<const gateways::services> s);
[[nodiscard]] gateways::authorize registry_authorize(std::shared_ptr<const gateways::services> s);

}  // namespace slipway::runtime
