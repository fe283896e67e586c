#pragma once

#include "messages/value.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace slipway::domain {

/// Where rules and queries read rows from: a snapshot of the read model, a draft over one, or a test's table.
/// A row source does not change while it is used, and is used by one thread.
class row_source {
public:
  row_source() = default;
  row_source(const row_source&) = delete;
  row_source& operator=(const row_source&) = delete;
  virtual ~row_source() = default;

  /// Return false to stop.
  using visitor = std::function<bool(std::int64_t id)>;
  using row_visitor = std::function<bool(const messages::row&)>;

  [[nodiscard]] virtual std::optional<messages::row> get(std::uint16_t resource, std::int64_t id)
    const = 0;

  /// Ids of rows whose indexed fields have these values, in ascending id order. `index` is an index_def::number; fewer
  /// values than the index has fields match as a prefix (ids then come in index order).
  virtual void lookup(
    std::uint16_t resource,
    std::uint16_t index,
    std::span<const messages::value> values,
    const visitor& visit) const = 0;

  /// Ids in order of the index where the first indexed text field starts with `prefix`.
  virtual void lookup_prefix(
    std::uint16_t resource,
    std::uint16_t index,
    std::string_view prefix,
    const visitor& visit) const = 0;

  /// All rows of a resource in ascending id order, beginning at `from`.
  virtual void scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit) const = 0;

  // Conveniences over the four above.
  [[nodiscard]] std::optional<std::int64_t>
  first(std::uint16_t resource, std::uint16_t index, std::span<const messages::value> values) const;
  [[nodiscard]] std::vector<std::int64_t>
  all(std::uint16_t resource, std::uint16_t index, std::span<const messages::value> values) const;
};

}  // namespace slipway::domain
