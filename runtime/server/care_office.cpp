#include "runtime/server/care_office.hpp"

#include "messages/json.hpp"

#include <algorithm>
#include <string>

namespace slipway::runtime {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

/// An answer is one line of limited length.
constexpr std::size_t items_per_answer_max = 100;

result<json> status(result<storage::collection_report> r) {
  if (!r) {
    return tl::unexpected(r.error());
  }
  const auto items = r->items.size();
  r->items.clear();
  json out(*r);
  out["items"] = items;
  return out;
}

result<json> items(const result<storage::collection_report>& r, std::size_t from) {
  if (!r) {
    return tl::unexpected(r.error());
  }
  auto out = json::array();
  const auto to = std::min(r->items.size(), from + items_per_answer_max);
  for (auto i = from; i < to; ++i) {
    out.push_back(json(r->items[i]));
  }
  return out;
}

result<json> scrub_status(result<storage::scrub_report> r) {
  if (!r) {
    return tl::unexpected(r.error());
  }
  r->rotten.resize(std::min(r->rotten.size(), items_per_answer_max));
  return json(*r);
}

result<json> done(const result<void>& r) {
  return r ? result<json>(json::object()) : tl::unexpected(r.error());
}

}  // namespace

bool is_care_command(std::string_view name) {
  return name.starts_with("gc ") || name.starts_with("scrub ") || name == "organization storage";
}

result<json> run_care_command(const registry_care& care, const json& request) {
  auto& keepers = care.keepers;
  const auto command = request.value("command", std::string());
  if (command == "gc start") {
    return done(keepers.collect(request.value("dry_run", false)));
  }
  if (command == "gc status") {
    return status(keepers.collection());
  }
  if (command == "gc items") {
    return items(keepers.collection(), request.value("from", std::size_t{0}));
  }
  if (command == "scrub start") {
    return done(keepers.scrub());
  }
  if (command == "organization storage") {
    return care.limits.command(request);
  }
  if (command == "scrub status") {
    return scrub_status(keepers.scrubbing());
  }
  return fail(errc::invalid_argument, "no such command");
}

}  // namespace slipway::runtime
