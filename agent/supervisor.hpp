#pragma once

#include "agent/applier.hpp"
#include "agent/link.hpp"
#include "agent/local_api.hpp"
#include "agent/log_collector.hpp"
#include "agent/log_uploader.hpp"
#include "agent/poller.hpp"
#include "agent/ports.hpp"
#include "agent/provisioner.hpp"
#include "agent/reporter.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <map>
#include <string>

namespace slipway::agent {

/// The agent's world: what `main` makes and the actors use. Outlives them all. Each blocking actor has a connection of its own.
struct agent_world {
  device_config* config = nullptr;
  provisioning* work = nullptr;
  state_store* store = nullptr;
  host_port* host = nullptr;
  container_host* engine = nullptr;
  container_host* fetch_engine = nullptr;
  platform_api* poll_api = nullptr;
  platform_api* report_api = nullptr;
  platform_api* local_api = nullptr;  ///< for what local callers want to know of the platform
  update_locks* locks = nullptr;
  host_control* control = nullptr;
  platform_api* log_api = nullptr;  ///< null = no logs are shipped, and the next two are not used
  log_output_port* log_output = nullptr;
  log_queue_port* log_queue = nullptr;
  std::function<void(const registered&)> identity_known;  ///< before any worker starts
  std::function<void()> cancel_calls;                     ///< of all blocking ports, any thread
  /// Empty = no overlay configured.
  std::function<std::unique_ptr<overlay_port>(const std::string& uuid, link_callbacks)> overlay;
  std::function<milliseconds()> now;
  std::function<std::uint64_t(std::uint64_t)> random;
  std::function<std::string()> new_secret;
  std::function<std::int64_t()> wall_ms;  ///< since 1970
  bool detach = true;  ///< false puts blocking actors on the scheduler, for tests
};

struct agent_settings {
  domain::device_context device;  ///< uuid is filled in once it is final
  milliseconds poll_interval{900'000};
  bool poll_interval_is_fixed = false;
  milliseconds report_gap{1'000};
  milliseconds provision_retry{30'000};
};

constexpr milliseconds revive_backoff_first{1'000};
constexpr milliseconds revive_backoff_max{60'000};

/// Parent of all actors. When one fails, all are stopped and started afresh after a pause: their facts are in the store and
/// on the engine, so only time is lost, and no container stops.
struct supervisor_state {
  static inline const char* name = "supervisor";

  void boot();  // not `begin`: CAF takes a state with one for a container
  void registered_as(const registered& m);
  void announced_now();
  void revive_workers();
  void down(const caf::down_msg& m);
  void stop(const caf::error& reason);
  void cancel_again();

  void start_provisioner();
  void start_workers();
  void start_logs();
  void start_link();
  [[nodiscard]] std::string api_secret();
  template <class F, class... Ts>
  caf::actor start(const char* what, F behavior, Ts&&... arguments);
  void kill_all();

  caf::stateful_actor<supervisor_state>* self = nullptr;
  agent_world world;
  agent_settings settings;
  registered identity;
  std::map<caf::actor_addr, std::string> living;
  caf::actor poller_actor;
  caf::actor api_actor;
  caf::actor link;
  caf::actor log_collector_actor;
  caf::actor log_uploader_actor;
  bool logs_on = true;
  bool said_start = false;
  bool link_allowed = false;
  bool failed = false;
  bool stopping = false;
  unsigned failures = 0;
};

caf::behavior
supervisor(caf::stateful_actor<supervisor_state>* self, agent_world world, agent_settings settings);

}  // namespace slipway::agent
