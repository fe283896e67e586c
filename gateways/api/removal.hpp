#pragma once

#include "gateways/services.hpp"

namespace slipway::gateways::api {

/// Removes a row, and what goes with it (domain/removal.hpp). All that could refuse is asked before anything changes. A row that is gone
/// already is no error. Errors: unauthorized, rule_violated; those of the entities.
[[nodiscard]] runtime::awaitable<messages::result<void>> remove_row(
  const services& s,
  boost::asio::any_io_executor executor,
  messages::requester by,
  std::uint16_t resource,
  std::int64_t id);

}  // namespace slipway::gateways::api
