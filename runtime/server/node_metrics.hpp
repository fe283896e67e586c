#pragma once

#include "messages/edge_bus.hpp"
#include "messages/event.hpp"
#include "runtime/directory.hpp"
#include "runtime/http_server.hpp"

#include <span>
#include <string>

/// What `GET /metrics` shows of a node, gathered where the parts meet.
namespace slipway::runtime::node_metrics {

/// In the journal's thread, for every flush.
void committed(std::span<const messages::log_record> records);
/// Whenever an edge tells its numbers.
void edge(const messages::edge_counters& c);
/// The text, with what is read off the parts at this moment.
[[nodiscard]] std::string text(const http_server& http, const directory& entities);

}  // namespace slipway::runtime::node_metrics
