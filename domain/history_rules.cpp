#include "domain/resource_model.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>
#include <utility>

/// What a device was and did: a row for each time in which nothing of what is kept changed.
namespace slipway::domain::hooks {
namespace {

using messages::field;
using messages::field_value;
using messages::is_null;
using messages::row;
using messages::value;

/// Rows of one device. Beyond it the oldest goes.
constexpr std::size_t history_rows_max = 100;

struct numbers_of_history {
  std::uint16_t resource, tracks_device, tracks_actor, end, created_by, ended_by;
  /// What is kept: (field of the history, field of the device).
  std::vector<std::pair<std::uint16_t, std::uint16_t>> kept;
};

const numbers_of_history& history() {
  static const auto n = [] {
    const auto& h = resource_model()->at("device_history");
    const auto& device = resource_model()->at("device");
    numbers_of_history out{
      h.number,
      h.field("tracks__device"),
      h.field("tracks__actor"),
      h.field("end_timestamp"),
      h.field("is_created_by__actor"),
      h.field("is_ended_by__actor"),
      {}};
    for (const auto& f : h.fields) {
      const auto* same = f.number < 3 ? nullptr : device.find_field(f.name);
      if (same != nullptr) {
        out.kept.emplace_back(f.number, same->number);
      }
    }
    return out;
  }();
  return n;
}

bool differs(const row& before, const row& after) {
  const auto& kept = history().kept;
  return before.empty() || std::any_of(kept.begin(), kept.end(), [&](const auto& pair) {
           return field(before, pair.second) != field(after, pair.second);
         });
}

value id_or_null(std::int64_t id) {
  return id == 0 ? value{} : value(id);
}

checked before_remove_history(draft&, const row&) {
  return broken("a device's history is kept as long as the device.");
}

}  // namespace

void record_history(
  draft& d,
  const rule_context& c,
  std::int64_t actor,
  const row& before,
  std::int64_t device) {
  const auto after = d.get(numbers::get().device.resource, device);
  if (!after || !differs(before, *after)) {
    return;
  }
  const auto& h = history();
  const std::array<value, 1> key{device};
  const auto rows = d.all(h.resource, h.tracks_device, key);
  for (const auto id : rows) {
    const auto r = d.get(h.resource, id);
    if (r && is_null(field(*r, h.end))) {
      d.change(h.resource, id, {{h.end, d.now()}, {h.ended_by, id_or_null(actor)}});
    }
  }
  if (rows.size() >= history_rows_max) {
    d.remove(h.resource, *std::min_element(rows.begin(), rows.end()));
  }
  std::vector<field_value> values{
    {h.tracks_device, device},
    {h.tracks_actor, field(*after, numbers::get().device.actor)},
    {h.created_by, id_or_null(actor)}};
  for (const auto& [to, from] : h.kept) {
    values.push_back({to, field(*after, from)});
  }
  d.create(h.resource, c.next_id(), std::move(values));
}

void add_history_hooks(std::vector<entry>& table) {
  table[history().resource].before_remove = before_remove_history;
}

}  // namespace slipway::domain::hooks
