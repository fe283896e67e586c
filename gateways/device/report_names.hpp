#pragma once

#include "gateways/services.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace slipway::gateways::device {

/// Rows behind the names in state reports: every device of a fleet reports the same few releases and images. Kept per fleet until a commit of
/// the fleet may have changed what devices should run.
class report_names {
public:
  explicit report_names(std::shared_ptr<const services> s) : s_(std::move(s)) {}

  /// The release of that commit, a successful one before others.
  [[nodiscard]] std::optional<std::int64_t> release(
    std::int64_t application,
    const std::string& commit);
  /// The image stored there, if it is a build of one of the fleet's services.
  [[nodiscard]] std::optional<std::int64_t> image(
    std::int64_t application,
    const std::string& location);
  /// Whether the row is one of the application's. Not remembered: only early supervisors ask by id.
  [[nodiscard]] bool has_release(std::int64_t application, std::int64_t release) const;
  [[nodiscard]] bool has_image(std::int64_t application, std::int64_t image) const;

private:
  static constexpr std::size_t fleets_max = 4096;  ///< per shard; a full one is emptied
  static constexpr std::size_t names_per_fleet_max =
    4096;  ///< of each kind; then the fleet's are forgotten
  using names = std::unordered_map<std::string, std::int64_t>;
  struct fleet {
    std::uint64_t change = 0;
    names releases, images;
  };
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::int64_t, fleet> fleets;
  };
  using look_up = std::optional<std::int64_t> (*)(
    const domain::row_source& rows,
    std::int64_t application,
    const std::string& name);
  [[nodiscard]] std::optional<std::int64_t>
  find(std::int64_t application, const std::string& name, names fleet::*kind, look_up how);

  std::shared_ptr<const services> s_;
  std::array<shard, 16> shards_;
};

}  // namespace slipway::gateways::device
