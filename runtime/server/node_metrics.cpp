#include "runtime/server/node_metrics.hpp"

#include "runtime/metrics.hpp"

#include <utility>

namespace slipway::runtime::node_metrics {

void committed(std::span<const messages::log_record> records) {
  static const auto commits =
    metrics::make_counter("slipway_commits_total", "Commits that are durable");
  static const auto events = metrics::make_counter("slipway_events_total", "Events in them");
  static const auto flushes =
    metrics::make_counter("slipway_flushes_total", "Synced writes of the log");
  flushes.add();
  commits.add(static_cast<double>(records.size()));
  std::size_t n = 0;
  for (const auto& r : records) {
    n += r.commit.events.size();
  }
  events.add(static_cast<double>(n));
}

void edge(const messages::edge_counters& c) {
  // As the edge counts them: they begin anew when its process does.
  constexpr auto names = messages::edge_counters::field_names();
  std::size_t i = 0;
  const auto show = [&](std::uint64_t number) {
    metrics::make_gauge(
      "slipway_overlay",
      "Numbers of the overlay's edge process",
      {{"what", std::string(names[i++])}})
      .set(static_cast<double>(number));
  };
  std::apply([&](const auto&... number) { (show(number), ...); }, c.fields());
}

std::string text(const http_server& http, const directory& entities) {
  static const auto requests =
    metrics::make_gauge("slipway_http_requests", "HTTP requests since the start");
  static const auto open =
    metrics::make_gauge("slipway_http_connections_open", "HTTP connections now");
  static const auto refused =
    metrics::make_gauge("slipway_http_connections_refused", "Connections closed at the limit");
  static const auto active =
    metrics::make_gauge("slipway_entities_active", "Entities in memory now");
  const auto counted = http.count();
  requests.set(static_cast<double>(counted.requests));
  open.set(static_cast<double>(counted.connections_open));
  refused.set(static_cast<double>(counted.refused));
  active.set(static_cast<double>(entities.active()));
  return metrics::metrics_text();
}

}  // namespace slipway::runtime::node_metrics
