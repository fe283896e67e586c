#pragma once

#include "agent/messages.hpp"
#include "agent/overlay_link.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <memory>

namespace slipway::agent {

/// The device's end of the overlay as the link actor sees it; `overlay_link` in the program, a fake in tests.
class overlay_port {
public:
  overlay_port() = default;
  overlay_port(const overlay_port&) = delete;
  overlay_port& operator=(const overlay_port&) = delete;
  virtual ~overlay_port() = default;
  [[nodiscard]] virtual messages::result<void> start() = 0;
  virtual void ack(std::uint64_t notice) = 0;
  virtual void answer(std::uint64_t epoch, messages::call_answer answer) = 0;
};
using overlay_factory = std::function<std::unique_ptr<overlay_port>(link_callbacks)>;

/// Turns notices into polls and answered polls into acknowledgements. After each connect it polls too: a notice may have
/// died with an edge. Requests to the supervisor API go to the API's actor, and its answers back.
struct link_actor_state {
  static inline const char* name = "link";
  void handled(const notice_handled& m);
  void answered(const call_answered& m);
  caf::stateful_actor<link_actor_state>* self = nullptr;
  std::unique_ptr<overlay_port> overlay;
};

caf::behavior link_actor(
  caf::stateful_actor<link_actor_state>* self,
  const overlay_factory& make_overlay,
  caf::actor poller,
  caf::actor api);

}  // namespace slipway::agent
