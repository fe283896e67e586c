#pragma once

#include "agent/messages.hpp"
#include "agent/ports.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

namespace slipway::agent {

/// Does what takes the engine minutes: one pull after another. On a connection of its own, so that the applier can cancel
/// it. Blocks: spawn it detached.
struct fetcher_state {
  static inline const char* name = "fetcher";
  void fetch(const fetch_image& m);
  void tell(std::string text, bool error) const;
  caf::stateful_actor<fetcher_state>* self = nullptr;
  container_host* host = nullptr;
  device_say say;  ///< may be empty
};

caf::behavior
fetcher(caf::stateful_actor<fetcher_state>* self, container_host* host, device_say say);

}  // namespace slipway::agent
