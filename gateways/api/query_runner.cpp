#include "gateways/api/query_runner.hpp"

#include "runtime/metrics.hpp"

namespace slipway::gateways::api {

namespace metrics = runtime::metrics;

messages::result<void> query_runner::enter(std::int64_t actor) {
  const std::lock_guard lock(mutex_);
  if (under_way_ >= of_all_max) {
    return messages::fail(
      messages::errc::unavailable,
      "too many expensive queries are under way: try again later");
  }
  auto& own = by_actor_[actor];
  if (own >= of_one_max) {
    return messages::fail(
      messages::errc::too_many_requests,
      "you have " + std::to_string(of_one_max) + " expensive queries under way: wait for one");
  }
  ++own;
  ++under_way_;
  return {};
}

void query_runner::leave(std::int64_t actor) {
  const std::lock_guard lock(mutex_);
  --under_way_;
  const auto it = by_actor_.find(actor);
  if (--it->second == 0) {
    by_actor_.erase(it);
  }
}

void query_runner::count(const odata::statistics& stats, bool expensive) {
  static const auto examined =
    metrics::make_counter("slipway_query_rows_examined_total", "Rows that queries looked at");
  static const auto returned =
    metrics::make_counter("slipway_query_rows_returned_total", "Rows that queries found");
  static const auto apart = metrics::make_counter(
    "slipway_queries_expensive_total",
    "Queries that ran on threads of their own");
  examined.add(static_cast<double>(stats.rows_examined));
  returned.add(static_cast<double>(stats.rows_returned));
  if (expensive) {
    apart.add();
  }
}

}  // namespace slipway::gateways::api
