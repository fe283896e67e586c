#pragma once

#include "gateways/services.hpp"
#include "messages/edge_bus.hpp"

#include <cstdint>
#include <vector>

namespace slipway::gateways::device {

/// Asked at the same time for one client; further devices wait their turn.
constexpr std::size_t batch_in_flight_max = 256;
/// After that long no further device is asked; what was not asked counts as timed out.
constexpr auto batch_time_max = std::chrono::minutes{5};

/// Asks all devices the same. One result for each, in their order; never fails.
[[nodiscard]] runtime::awaitable<std::vector<messages::call_result>> call_devices(
  const services& s,
  boost::asio::any_io_executor executor,
  std::vector<std::int64_t> devices,
  messages::call request);

}  // namespace slipway::gateways::device
