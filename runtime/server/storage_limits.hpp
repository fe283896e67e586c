#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "gateways/registry/storage_quota.hpp"
#include "gateways/registry/storage_shares.hpp"
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
class storage_limits final : public gateways::storage_quota {
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
  /// Blocks for as long as counting what the organization has takes, when it has a limit.
  [[nodiscard]] messages::result<std::uint64_t> room(const std::string& repository) override;
  [[nodiscard]] messages::result<void>
  hold(const std::string& repository, const std::string& upload, std::uint64_t bytes) override;
  [[nodiscard]] messages::result<void> resize(const std::string& upload, std::uint64_t bytes)
    override;
  void pause(const std::string& upload, std::uint64_t bytes) override;
  void release(const std::string& upload, bool stored) override;

  /// `organization storage`: what an organization uses and may use; with `limit` (bytes, 0 = none, -1 = the default) sets it first.
  /// Errors: not_found, invalid_argument.
  [[nodiscard]] messages::result<nlohmann::json> command(const nlohmann::json& request);

private:
  struct counted {
    std::uint64_t limit = 0;
    std::int64_t at_ms = 0;
    std::int64_t took_ms = 0;
  };
  /// 0 = none.
  [[nodiscard]] messages::result<std::int64_t> limit_of(std::int64_t organization) const;
  /// Brings the organization's share up to date; the organization, 0 = it has no limit.
  [[nodiscard]] messages::result<std::int64_t> limited_owner(const std::string& repository);
  [[nodiscard]] messages::result<void> update(std::int64_t organization, std::uint64_t limit);
  /// Lets go what uploads hold that nobody went on with for long.
  void forget_paused(std::int64_t organization);
  [[nodiscard]] messages::result<std::uint64_t> count(
    const domain::row_source& rows,
    std::int64_t organization) const;

  std::shared_ptr<const gateways::services> services_;
  storage::repository_store& repositories_;
  options options_;
  std::mutex mutex_;
  std::map<std::int64_t, counted> counted_;  ///< by organization; of those with a limit
  gateways::storage_shares shares_;
};

}  // namespace slipway::runtime
