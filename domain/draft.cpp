#include "domain/draft.hpp"

#include <algorithm>
#include <cstdlib>

namespace slipway::domain {

using messages::event;
using messages::event_type;
using messages::field;
using messages::field_value;
using messages::row;
using messages::value;

void put_values(row& r, std::span<const field_value> values) {
  for (const auto& v : values) {
    if (r.size() <= v.field) {
      r.resize(v.field + 1U);
    }
    r[v.field] = v.value;
  }
}

void draft::create(std::uint16_t resource, std::int64_t id, std::vector<field_value> values) {
  std::erase_if(values, [](const field_value& v) { return messages::is_null(v.value); });
  row r{id, now_, now_};
  put_values(r, values);
  rows_[{resource, id}] = std::move(r);
  events_.push_back({event_type::row_created, resource, id, std::move(values)});
}

void draft::change(std::uint16_t resource, std::int64_t id, std::vector<field_value> values) {
  auto r = get(resource, id);
  if (!r) {
    return;
  }
  std::erase_if(values, [&](const field_value& v) { return field(*r, v.field) == v.value; });
  if (values.empty()) {
    return;
  }
  put_values(*r, values);
  (*r)[2] = now_;
  rows_[{resource, id}] = std::move(*r);
  events_.push_back({event_type::row_changed, resource, id, std::move(values)});
}

void draft::remove(std::uint16_t resource, std::int64_t id) {
  if (!get(resource, id)) {
    return;
  }
  rows_[{resource, id}] = std::nullopt;
  events_.push_back({event_type::row_removed, resource, id, {}});
}

std::optional<row> draft::get(std::uint16_t resource, std::int64_t id) const {
  if (const auto it = rows_.find({resource, id}); it != rows_.end()) {
    return it->second;
  }
  const auto [it, fresh] = read_.try_emplace({resource, id});
  if (fresh) {
    it->second = below_.get(resource, id);
  }
  return it->second;
}

const index_def& draft::index_of(std::uint16_t resource, std::uint16_t index) const {
  for (const auto& i : model_.find(resource)->indices) {
    if (i.number == index) {
      return i;
    }
  }
  std::abort();  // our own mistake: no such index
}

bool draft::touched(std::uint16_t resource, std::int64_t id) const {
  return rows_.contains({resource, id});
}

void draft::visit_touched(std::uint16_t resource, const matcher& matches, const visitor& visit)
  const {
  for (auto it = rows_.lower_bound({resource, INT64_MIN});
       it != rows_.end() && it->first.first == resource;
       ++it) {
    if (it->second && matches(*it->second) && !visit(it->first.second)) {
      return;
    }
  }
}

void draft::lookup(
  std::uint16_t resource,
  std::uint16_t index,
  std::span<const value> values,
  const visitor& visit) const {
  bool more = true;
  below_.lookup(resource, index, values, [&](std::int64_t id) {
    more = touched(resource, id) || visit(id);
    return more;
  });
  if (!more) {
    return;
  }
  const auto& fields = index_of(resource, index).fields;
  visit_touched(
    resource,
    [&](const row& r) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (field(r, fields[i]) != values[i]) {
          return false;
        }
      }
      return true;
    },
    visit);
}

void draft::lookup_prefix(
  std::uint16_t resource,
  std::uint16_t index,
  std::string_view prefix,
  const visitor& visit) const {
  bool more = true;
  below_.lookup_prefix(resource, index, prefix, [&](std::int64_t id) {
    more = touched(resource, id) || visit(id);
    return more;
  });
  if (!more) {
    return;
  }
  const auto first = index_of(resource, index).fields[0];
  visit_touched(
    resource,
    [&](const row& r) { return messages::as_text(field(r, first)).starts_with(prefix); },
    visit);
}

void draft::scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit) const {
  bool more = true;
  below_.scan(resource, from, [&](const row& r) {
    more = touched(resource, messages::id_of(r)) || visit(r);
    return more;
  });
  if (!more) {
    return;
  }
  for (auto it = rows_.lower_bound({resource, from});
       it != rows_.end() && it->first.first == resource;
       ++it) {
    if (it->second && !visit(*it->second)) {
      return;
    }
  }
}

}  // namespace slipway::domain
