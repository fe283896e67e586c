#pragma once

#include "agent/backoff.hpp"
#include "agent/messages.hpp"
#include "agent/provisioning.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>

namespace slipway::agent {

constexpr milliseconds provision_backoff_first{2'000};

struct provisioner_links {
  caf::actor supervisor;
  milliseconds backoff_max{30'000};                    ///< `bootstrapRetryDelay`
  std::function<std::uint64_t(std::uint64_t)> random;  ///< uniform in [0, n]
};

/// Registers the device, however long it takes, tells the supervisor and ends.
struct provisioner_state {
  static inline const char* name = "identity";
  void attempt();
  void tell();
  caf::stateful_actor<provisioner_state>* self = nullptr;
  device_config* config = nullptr;
  provisioning* work = nullptr;
  provisioner_links links;
  unsigned failures = 0;
  bool told = false;
};

/// Blocks in HTTP: spawn it detached.
caf::behavior provisioner(
  caf::stateful_actor<provisioner_state>* self,
  device_config* config,
  provisioning* work,
  provisioner_links links);

}  // namespace slipway::agent
