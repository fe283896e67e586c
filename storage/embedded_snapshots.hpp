#pragma once

#include "storage/database.hpp"
#include "storage/store.hpp"

namespace slipway::storage {

/// A snapshot above this is refused with too_large.
constexpr std::size_t snapshot_bytes_max = 16U << 20U;

/// Snapshots in a column family of the log's database. Written without sync: a lost one is made again from the log.
class embedded_snapshots : public snapshot_store {
public:
  explicit embedded_snapshots(std::shared_ptr<database> d) : database_(std::move(d)) {}
  [[nodiscard]] messages::result<void> put(messages::entity_ref entity, std::string_view bytes)
    override;
  [[nodiscard]] messages::result<std::optional<std::string>> get(
    messages::entity_ref entity) const override;
  [[nodiscard]] messages::result<void> remove(messages::entity_ref entity) override;
  [[nodiscard]] messages::result<void> each(
    messages::entity_kind kind,
    const std::function<bool(messages::entity_ref, std::string_view)>& visit) const override;

private:
  std::shared_ptr<database> database_;
};

}  // namespace slipway::storage
