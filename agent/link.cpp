#include "agent/link.hpp"

#include "agent/actor_support.hpp"
#include "runtime/log.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace slipway::agent {

void link_actor_state::handled(const notice_handled& m) {
  overlay->ack(m.id);
}

caf::behavior link_actor(
  caf::stateful_actor<link_actor_state>* self,
  const overlay_factory& make_overlay,
  caf::actor poller) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  // Called on the overlay's own thread.
  link_callbacks callbacks;
  callbacks.on_connected = [poller](const messages::welcome&) {
    runtime::log::info("overlay connected");
    caf::anon_send(poller, poll_now{});
  };
  callbacks.on_disconnected = [](const std::string& reason) {
    runtime::log::info("overlay disconnected", {{"why", reason}});
  };
  callbacks.on_notice = [poller](const messages::notice& n) {
    if (n.kind == messages::notice_kind::update) {
      caf::anon_send(poller, poll_now{n.id});
      return;
    }
    // Not acknowledged: an action that was not carried out must stay visible until it expires.
    runtime::log::warn(
      "notice not supported",
      {{"kind", std::to_string(static_cast<int>(n.kind))}});
  };
  self->state.overlay = make_overlay(std::move(callbacks));
  if (auto started = self->state.overlay->start(); !started) {
    // A wrong key or address does not mend itself; the device works by polling.
    runtime::log::error("overlay not started", {{"why", started.error().detail}});
  }
  return {[self](const notice_handled& m) { self->state.handled(m); }};
}

}  // namespace slipway::agent
