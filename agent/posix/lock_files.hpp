#pragma once

#include "agent/ports.hpp"

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace slipway::agent {

/// Update locks as files: `<root>/<app id>/<service>/updates.lock` and `resin-updates.lock`. Containers see their service's
/// folder as /tmp/balena and /tmp/resin, so everything in it is hostile: no link is followed.
class lock_files : public update_locks {
public:
  explicit lock_files(std::filesystem::path root);

  messages::result<void>
  take(std::int64_t app_id, const std::set<std::string>& services, bool force) override;
  void release(std::int64_t app_id) override;

  /// Makes the folder that a container of this service mounts; any user in it may lock. Errors: io_failed.
  [[nodiscard]] messages::result<std::string> prepare(
    std::int64_t app_id,
    const std::string& service);

private:
  messages::result<void> take_one(const std::string& folder, const char* name, bool force);

  std::filesystem::path root_;
  uid_t owner_;
  std::map<std::int64_t, std::vector<std::string>> taken_;  ///< paths by app
};

inline constexpr auto lock_folder_default = "/tmp/balena-supervisor/services";

}  // namespace slipway::agent
