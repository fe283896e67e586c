#pragma once

#include "gateways/api/odata/request.hpp"
#include "gateways/api/resources.hpp"

/// One request to the resource model, on its way. Internal to gateways/api.
namespace slipway::gateways::api {

/// Writes of one request that are on their way at once.
constexpr std::size_t writes_in_flight_max = 256;

struct resources::call {
  runtime::exchange& x;
  messages::requester by;
  odata::request_line line;
  odata::dialect version = odata::dialect::v7;

  [[nodiscard]] const domain::resource_def& resource() const { return line.resource(); }
};

}  // namespace slipway::gateways::api
