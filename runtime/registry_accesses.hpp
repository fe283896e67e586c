#pragma once

#include "messages/build.hpp"
#include "runtime/container_engine.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What base images and ready images of a project are pulled with.
namespace slipway::runtime {

/// By registry, as engines name them: `host[:port]`, the public hub by the address that it had first.
using registry_accesses = std::map<std::string, registry_access>;

[[nodiscard]] registry_accesses accesses_of(const std::vector<messages::registry_secret>& secrets);

/// That of the registry which an image reference names; anonymous when there is none.
[[nodiscard]] registry_access access_for(const registry_accesses& all, std::string_view image);

}  // namespace slipway::runtime
