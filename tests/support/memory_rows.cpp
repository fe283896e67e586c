#include "tests/support/memory_rows.hpp"

#include "runtime/assert.hpp"

#include <algorithm>

namespace slipway::tests {
namespace {

const domain::index_def& index_of(const domain::resource_def& resource, std::uint16_t number) {
  const auto it =
    std::find_if(resource.indices.begin(), resource.indices.end(), [number](const auto& index) {
      return index.number == number;
    });
  SLIPWAY_ASSERT(it != resource.indices.end());
  return *it;
}

}  // namespace

memory_rows::memory_rows(const domain::schema& s) : schema_(s) {}

void memory_rows::put(std::uint16_t resource, messages::row row) {
  SLIPWAY_ASSERT(schema_.find(resource) != nullptr);
  const auto id = messages::id_of(row);
  SLIPWAY_ASSERT(id > 0);
  tables_[resource][id] = std::move(row);
}

void memory_rows::remove(std::uint16_t resource, std::int64_t id) {
  tables_[resource].erase(id);
}

void memory_rows::put(
  std::string_view resource,
  std::int64_t id,
  std::initializer_list<std::pair<std::string_view, messages::value>> values) {
  const auto* def = schema_.find(resource);
  SLIPWAY_ASSERT(def != nullptr);
  messages::row row(def->fields.size());
  row[0] = id;
  row[1] = std::int64_t{0};
  row[2] = std::int64_t{0};
  for (const auto& [name, value] : values) {
    const auto* field = def->find_field(name);
    SLIPWAY_ASSERT(field != nullptr);
    row[field->number] = value;
  }
  put(def->number, std::move(row));
}

std::size_t memory_rows::count(std::uint16_t resource) const {
  const auto it = tables_.find(resource);
  return it == tables_.end() ? 0 : it->second.size();
}

std::optional<messages::row> memory_rows::get(std::uint16_t resource, std::int64_t id) const {
  const auto t = tables_.find(resource);
  if (t == tables_.end()) {
    return std::nullopt;
  }
  const auto it = t->second.find(id);
  return it == t->second.end() ? std::nullopt : std::optional(it->second);
}

std::vector<memory_rows::entry> memory_rows::entries(std::uint16_t resource, std::uint16_t index)
  const {
  const auto* def = schema_.find(resource);
  SLIPWAY_ASSERT(def != nullptr);
  const auto& fields = index_of(*def, index).fields;
  std::vector<entry> found;
  if (const auto t = tables_.find(resource); t != tables_.end()) {
    for (const auto& [id, row] : t->second) {
      entry e{{}, id};
      for (const auto field : fields) {
        e.values.push_back(messages::field(row, field));
      }
      found.push_back(std::move(e));
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

void memory_rows::lookup(
  std::uint16_t resource,
  std::uint16_t index,
  std::span<const messages::value> values,
  const visitor& visit) const {
  for (const auto& e : entries(resource, index)) {
    SLIPWAY_ASSERT(values.size() <= e.values.size());
    if (std::equal(values.begin(), values.end(), e.values.begin()) && !visit(e.id)) {
      return;
    }
  }
}

void memory_rows::lookup_prefix(
  std::uint16_t resource,
  std::uint16_t index,
  std::string_view prefix,
  const visitor& visit) const {
  for (const auto& e : entries(resource, index)) {
    const auto* text = std::get_if<std::string>(&e.values.front());
    if (text != nullptr && text->compare(0, prefix.size(), prefix) == 0 && !visit(e.id)) {
      return;
    }
  }
}

void memory_rows::scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit) const {
  const auto t = tables_.find(resource);
  if (t == tables_.end()) {
    return;
  }
  for (auto it = t->second.lower_bound(from); it != t->second.end(); ++it) {
    if (!visit(it->second)) {
      return;
    }
  }
}

}  // namespace slipway::tests
