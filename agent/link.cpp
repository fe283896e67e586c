#include "agent/link.hpp"

#include "agent/actor_support.hpp"
#include "agent/backoff.hpp"
#include "runtime/log.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace slipway::agent {

void link_actor_state::handled(const notice_handled& m) {
  overlay->ack(m.id);
}

void link_actor_state::answered(const call_answered& m) {
  overlay->answer(m.epoch, m.answer);
}

namespace {

messages::call_answer to_frame(std::uint64_t id, const domain::api_answer& a) {
  if (a.body.size() > messages::call_answer_body_bytes_max) {
    return {id, 500, "text/plain", "The answer is too large to be sent"};
  }
  return {id, static_cast<std::uint16_t>(a.status), a.content_type, a.body};
}

}  // namespace

caf::behavior link_actor(
  caf::stateful_actor<link_actor_state>* self,
  const overlay_factory& make_overlay,
  caf::actor poller,
  caf::actor api) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  // Called on the overlay's own thread.
  link_callbacks callbacks;
  callbacks.on_connected = [poller, api](const messages::welcome&) {
    runtime::log::info("overlay connected");
    caf::anon_send(api, link_changed{true});
    caf::anon_send(poller, poll_now{});
  };
  callbacks.on_disconnected = [api](const std::string& reason) {
    caf::anon_send(api, link_changed{false});
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
  callbacks.on_call = [api, me = caf::actor(self)](std::uint64_t epoch, messages::call c) {
    api_called m;
    m.request = std::make_shared<const domain::api_request>(
      domain::api_request{std::move(c.method), std::move(c.path), std::move(c.body)});
    m.timeout = milliseconds(c.timeout_ms);
    m.reply = [me, epoch, id = c.id](const domain::api_answer& a) {
      caf::anon_send(me, call_answered{epoch, to_frame(id, a)});
    };
    caf::anon_send(api, std::move(m));
  };
  self->state.overlay = make_overlay(std::move(callbacks));
  if (auto started = self->state.overlay->start(); !started) {
    // A wrong key or address does not mend itself; the device works by polling.
    runtime::log::error("overlay not started", {{"why", started.error().detail}});
  }
  return {
    [self](const notice_handled& m) { self->state.handled(m); },
    [self](const call_answered& m) { self->state.answered(m); },
  };
}

}  // namespace slipway::agent
