#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/event.hpp"

#include <functional>
#include <map>
#include <span>
#include <utility>

namespace slipway::domain {

/// What a command is about to change: reads see the rows below with the changes so far on top; the changes are kept as the
/// events to append. Rules write through this and nothing else.
class draft : public row_source {
public:
  draft(const schema& model, const row_source& below, std::int64_t now)
    : model_(model), below_(below), now_(now) {}

  void create(std::uint16_t resource, std::int64_t id, std::vector<messages::field_value> values);
  /// Fields that already have the value are left out; no event when none is left.
  void change(std::uint16_t resource, std::int64_t id, std::vector<messages::field_value> values);
  void remove(std::uint16_t resource, std::int64_t id);

  [[nodiscard]] const std::vector<messages::event>& events() const { return events_; }
  [[nodiscard]] const schema& model() const { return model_; }
  /// ms since 1970, UTC: the time of the command.
  [[nodiscard]] std::int64_t now() const { return now_; }

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
  using key = std::pair<std::uint16_t, std::int64_t>;
  using matcher = std::function<bool(const messages::row&)>;
  [[nodiscard]] const index_def& index_of(std::uint16_t resource, std::uint16_t index) const;
  /// Rows of this draft that match come after those below; returns false when the visitor stopped.
  void visit_touched(std::uint16_t resource, const matcher& matches, const visitor& visit) const;
  [[nodiscard]] bool touched(std::uint16_t resource, std::int64_t id) const;

  const schema& model_;
  const row_source& below_;
  std::int64_t now_;
  std::map<key, std::optional<messages::row>> rows_;          ///< touched here; nullopt = removed
  mutable std::map<key, std::optional<messages::row>> read_;  ///< rows below, as read before
  std::vector<messages::event> events_;
};

/// Puts `values` on a row, as the read model does when it applies an event.
void put_values(messages::row& r, std::span<const messages::field_value> values);

}  // namespace slipway::domain
