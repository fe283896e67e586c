#pragma once

#include "gateways/api/odata/request.hpp"
#include "gateways/api/resources.hpp"
#include "messages/entity.hpp"

/// One request to the resource model, on its way. Internal to gateways/api.
namespace slipway::gateways::api {

/// Writes of one request that are on their way at once.
constexpr std::size_t writes_in_flight_max = 256;

struct resources::call {
  runtime::exchange& x;
  messages::requester by;
  odata::request_line line;

  [[nodiscard]] const domain::resource_def& resource() const { return line.resource(); }
};

/// A row and who writes it.
struct resources::target {
  messages::entity_ref entity;
  std::uint16_t resource = 0;
  std::int64_t id = 0;
};

}  // namespace slipway::gateways::api
