#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"

#include <initializer_list>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace slipway::tests {

/// Rows and indices in maps: what a test reads from, and the naive model that the real read model is compared with.
/// Values order as the store's do: null, false, true, numbers, text by bytes, JSON by bytes. Uniqueness is not checked.
class memory_rows : public domain::row_source {
public:
  /// Keeps a reference to `s`.
  explicit memory_rows(const domain::schema& s);

  /// Inserts or replaces; element 0 is the id.
  void put(std::uint16_t resource, messages::row row);
  void remove(std::uint16_t resource, std::int64_t id);

  /// Inserts or replaces by names: `rows.put("device", 129, {{"uuid", "ab"s}, {"is_online", true}})`. Unknown names end the
  /// process. `created_at` and `modified_at` are 0 unless given.
  void put(
    std::string_view resource,
    std::int64_t id,
    std::initializer_list<std::pair<std::string_view, messages::value>> values);

  [[nodiscard]] std::size_t count(std::uint16_t resource) const;

  [[nodiscard]] std::optional<messages::row> get(std::uint16_t resource, std::int64_t id)
    const override;
  void lookup(
    std::uint16_t resource,
    std::uint16_t index,
    std::span<const messages::value> values,
    const visitor& visit) const override;
  void lookup_prefix(
    std::uint16_t resource,
    std::uint16_t index,
    std::string_view prefix,
    const visitor& visit) const override;
  void scan(std::uint16_t resource, std::int64_t from, const row_visitor& visit) const override;

private:
  struct entry {
    std::vector<messages::value> values;
    std::int64_t id = 0;
    friend bool operator<(const entry& a, const entry& b) {
      return a.values != b.values ? a.values < b.values : a.id < b.id;
    }
  };
  using table = std::map<std::int64_t, messages::row>;
  [[nodiscard]] std::vector<entry> entries(std::uint16_t resource, std::uint16_t index) const;

  const domain::schema& schema_;
  std::map<std::uint16_t, table> tables_;
};

}  // namespace slipway::tests
