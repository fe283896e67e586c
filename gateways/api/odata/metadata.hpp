#pragma once

#include "domain/schema.hpp"

#include <string>

namespace slipway::gateways::odata {

/// The schema as `$metadata` tells it: OData 4 CSDL in XML. Hidden fields are not in it; references are navigations.
[[nodiscard]] std::string metadata_xml(const domain::schema& schema);

}  // namespace slipway::gateways::odata
