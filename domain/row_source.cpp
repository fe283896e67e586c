#include "domain/row_source.hpp"

namespace slipway::domain {

std::optional<std::int64_t> row_source::first(
  std::uint16_t resource,
  std::uint16_t index,
  std::span<const messages::value> values) const {
  std::optional<std::int64_t> found;
  lookup(resource, index, values, [&found](std::int64_t id) {
    found = id;
    return false;
  });
  return found;
}

std::vector<std::int64_t> row_source::all(
  std::uint16_t resource,
  std::uint16_t index,
  std::span<const messages::value> values) const {
  std::vector<std::int64_t> found;
  lookup(resource, index, values, [&found](std::int64_t id) {
    found.push_back(id);
    return true;
  });
  return found;
}

}  // namespace slipway::domain
