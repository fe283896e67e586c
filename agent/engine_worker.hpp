#pragma once

#include "agent/messages.hpp"
#include "agent/ports.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace slipway::agent {

/// Does what takes the engine seconds: looks at it, and carries out the steps of one plan in their order. Blocks: spawn it
/// detached. Stops at the first failure, since later steps of a plan count on earlier ones.
struct engine_worker_state {
  static inline const char* name = "engine";
  void snapshot();
  void perform(const perform_steps& m);
  /// `problem`: null before the step, "" after it, else why it failed.
  void tell(const domain::step& s, const perform_steps& m, const char* problem) const;
  caf::stateful_actor<engine_worker_state>* self = nullptr;
  container_host* host = nullptr;
  device_say say;  ///< may be empty
};

caf::behavior
engine_worker(caf::stateful_actor<engine_worker_state>* self, container_host* host, device_say say);

}  // namespace slipway::agent
