#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "gateways/services.hpp"
#include "messages/error.hpp"
#include "storage/repository_store.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace slipway::runtime {

/// What images may take: of the disk, and of an organization's share of it (ADR 79, ADR 80).
class storage_limits {
public:
  struct options {
    std::string folder;                     ///< on the disk that is watched
    std::int64_t free_bytes_min = 0;        ///< with less, nothing more is taken
    std::int64_t organization_default = 0;  ///< 0 = no limit
  };
  storage_limits(
    std::shared_ptr<const gateways::services> services,
    storage::repository_store& repositories,
    options o)
    : services_(std::move(services)), repositories_(repositories), options_(std::move(o)) {}

  /// Errors: disk_full.
  [[nodiscard]] messages::result<void> disk() const;
  /// Bytes that the repository's organization may still add. Blocks for as long as counting what it has takes, when it has a limit.
  [[nodiscard]] messages::result<std::uint64_t> room(const std::string& repository);

  /// `organization storage`: what an organization uses and may use; with `limit` (bytes, 0 = none, -1 = the default) sets it first.
  /// Errors: not_found, invalid_argument.
  [[nodiscard]] messages::result<nlohmann::json> command(const nlohmann::json& request);

private:
  struct counted {
    std::uint64_t bytes = 0;
    std::int64_t at_ms = 0;
    std::int64_t took_ms = 0;
  };
  /// 0 = none.
  [[nodiscard]] messages::result<std::int64_t> limit_of(std::int64_t organization) const;
  [[nodiscard]] messages::result<std::uint64_t> used_by(std::int64_t organization);
  [[nodiscard]] messages::result<std::uint64_t> count(
    const domain::row_source& rows,
    std::int64_t organization) const;

  std::shared_ptr<const gateways::services> services_;
  storage::repository_store& repositories_;
  options options_;
  std::mutex mutex_;
  std::map<std::int64_t, counted> counted_;  ///< by organization; of those with a limit
};

}  // namespace slipway::runtime
