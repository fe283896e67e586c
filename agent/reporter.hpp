#pragma once

#include "agent/backoff.hpp"
#include "agent/messages.hpp"
#include "agent/platform_api.hpp"
#include "agent/state_store.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace slipway::agent {

struct reporter_settings {
  std::string uuid;
  std::string device_key;
  milliseconds gap_min{1'000};          ///< between two reports
  milliseconds metrics_every{300'000};  ///< metrics alone are worth a report this often
  milliseconds backoff_max{900'000};    ///< the poll interval
  int api_port = 48484;
  std::string api_secret = {};  ///< "" = none to tell
};

struct reporter_links {
  host_port* host = nullptr;
  std::function<milliseconds()> now;  ///< monotonic
};

constexpr milliseconds report_backoff_first{15'000};

/// Tells the platform what changed since the report that it accepted last, which is on disk so that a restart tells
/// nothing twice.
struct reporter_state {
  static inline const char* name = "reporter";

  void apps(const state_changed& m);
  void status(const status_changed& m);
  void secret(const secret_changed& m);
  void tick(const report_tick& m);

  void send_report();
  void accepted(nlohmann::json sent);
  void refused(const std::string& why, std::optional<std::chrono::seconds> retry_after);
  void wake(milliseconds pause);
  void plan_next();

  caf::stateful_actor<reporter_state>* self = nullptr;
  platform_api* api = nullptr;
  state_store* store = nullptr;
  reporter_settings settings;
  reporter_links links;
  nlohmann::json wanted;         ///< the whole state as of now
  nlohmann::json accepted_last;  ///< what the platform knows; null = nothing
  milliseconds metrics_due{0};
  milliseconds sent_last{0};
  milliseconds blocked_until{0};
  std::uint64_t round = 0;
  unsigned failures = 0;
  bool apps_known = false;  ///< never claim that nothing is installed before having looked
};

/// Blocks in HTTP: spawn it detached.
caf::behavior reporter(
  caf::stateful_actor<reporter_state>* self,
  platform_api* api,
  state_store* store,
  reporter_settings settings,
  reporter_links links);

}  // namespace slipway::agent
