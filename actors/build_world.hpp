#pragma once

#include "actors/builds.hpp"
#include "domain/schema.hpp"
#include "runtime/directory.hpp"
#include "storage/build_logs.hpp"
#include "storage/store.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace slipway::actors {

/// Builds that wait for a worker; more are refused: too_many_requests.
constexpr std::size_t builds_waiting_max = 256;
/// Of one fleet, at work and waiting.
constexpr std::size_t builds_per_fleet_max = 16;
/// A build that no worker took for so long is cancelled.
constexpr std::int64_t build_queue_ms_max = 3'600'000;
/// How long a worker whose connection ended may stay away.
constexpr std::int64_t worker_away_ms_max = 5'000;
/// How long others are preferred to a worker that failed a build by a fault of its own.
constexpr std::int64_t worker_rest_ms = 30'000;
/// How long a worker may not know of a build that it was sent.
constexpr std::int64_t run_heard_ms_max = 10'000;
/// Builds that nobody works on are looked for so often, and ended when they are found a second time.
constexpr std::chrono::seconds orphans_every{10};
constexpr const char* build_failed_within = "the build failed within the server";
/// A build is tried so often before it fails for want of a worker that lives.
constexpr std::int64_t build_attempts_max = 2;
/// How long a build that is `pushed` waits for its git push to end: longer than any git lives (gateways/git, 4 hours). Until it
/// is gone it may still move the ref.
constexpr std::chrono::seconds settle_wait_max{5 * 3600};
/// A repository that cannot be read is asked again so often: until it answers nobody knows how the push ended.
constexpr std::chrono::seconds ref_again_after{10};

/// What builds need of their process; outlives them.
struct build_world {
  std::shared_ptr<const domain::schema> model;
  storage::store store;
  runtime::directory* directory = nullptr;
  storage::build_logs* logs = nullptr;
  std::function<std::int64_t()> now;        ///< ms since 1970
  std::function<std::int64_t()> steady_ms;  ///< for leases: a clock that nobody sets
  /// A sealed message for a worker. False: it is not connected.
  std::function<bool(const std::string& worker, std::string sealed)> send;
  /// A registry token for one build: to push to these repositories and to pull from those.
  std::function<messages::result<std::string>(
    std::int64_t build,
    const std::vector<std::string>& push,
    const std::vector<std::string>& pull)>
    mint_token;
  /// The commit that a ref of a fleet's repository is at, nullopt = there is no such ref. An error says that nobody knows.
  std::function<
    messages::result<std::optional<std::string>>(std::int64_t fleet, const std::string& ref)>
    ref_of;
  messages::build_limits limits;
  bool plain_http = false;                   ///< the registry has no TLS
  std::function<std::string()> registry_ca;  ///< PEM, "" or unset = none
};

}  // namespace slipway::actors
