#pragma once

#include "agent/backoff.hpp"
#include "agent/messages.hpp"
#include "agent/platform_api.hpp"
#include "agent/state_store.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <string>
#include <vector>

namespace slipway::agent {

struct poller_settings {
  std::string uuid;
  std::string device_key;
  milliseconds interval{900'000};
  bool interval_is_fixed = false;  ///< else the platform's configuration variable changes it
};

struct poller_links {
  caf::actor applier;
  caf::actor reporter;
  /// Where acknowledged notices go; the link may come and go.
  std::function<void(std::uint64_t)> acknowledge;
  /// Uniform in [0, n].
  std::function<std::uint64_t(std::uint64_t n)> random;
};

constexpr milliseconds poll_jitter_max{60'000};
constexpr milliseconds poll_backoff_first{15'000};
constexpr milliseconds poll_interval_min{1'000};
constexpr milliseconds poll_interval_max{86'400'000};
constexpr std::size_t notices_pending_max =
  256;  ///< more: the oldest is forgotten, the edge sends it again

/// Fetches the target state for ever: each interval plus jitter, at once on a notice, more slowly after failures.
struct poller_state {
  static inline const char* name = "poller";

  void now(const poll_now& m);
  void tick(const poll_tick& m);

  void poll();
  void accept(const platform_api::reply& reply);
  void failed(const std::string& why, std::optional<std::chrono::seconds> retry_after);
  void succeeded();
  void schedule(milliseconds pause);
  void take_interval(const domain::target_state& target);

  caf::stateful_actor<poller_state>* self = nullptr;
  platform_api* api = nullptr;
  state_store* store = nullptr;
  poller_settings settings;
  poller_links links;
  std::string etag;  ///< of the target in force
  std::vector<std::uint64_t> notices;
  std::uint64_t round = 0;
  unsigned failures = 0;
  bool poll_is_due = false;
};

/// Blocks in HTTP: spawn it detached.
caf::behavior poller(
  caf::stateful_actor<poller_state>* self,
  platform_api* api,
  state_store* store,
  poller_settings settings,
  poller_links links);

}  // namespace slipway::agent
