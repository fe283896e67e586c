#include "actors/device_session_actor.hpp"

#include <limits>

namespace slipway::actors {
namespace {

constexpr std::int64_t send_again_ms = 30'000;  // a frame that a full queue dropped
constexpr auto only_unsent = std::numeric_limits<std::int64_t>::max();

}  // namespace

void device_session_state::report(bool online, std::int64_t time) {
  port->presence({device, epoch, online, time, address});
}

void device_session_state::send_due(std::int64_t now, std::int64_t again_after) {
  if (connection == 0) {
    return;
  }
  for (auto& frame : notices.due(now, again_after)) {
    port->send(connection, std::move(frame));
  }
}

void device_session_state::done() {
  if (connection == 0 && notices.empty()) {
    port->idle(device, received);
  }
}

void device_session_state::hello(const runtime::session_hello& h) {
  const bool news = connection != h.connection;
  connection = h.connection;
  epoch = h.epoch;
  since = h.time;
  address = h.address;
  port->send(connection, h.welcome);
  if (news) {
    report(true, h.time);
  }
  if (const auto expired = notices.expire(h.time); expired > 0) {
    port->notices_dropped(expired);
  }
  notices.unsend();
  send_due(h.time, only_unsent);
}

void device_session_state::notify(const session_notify& n) {
  // A device that is not here fetches its target state when it comes: an update need not wait for it.
  if (connection != 0 || n.notice->kind != messages::notice_kind::update) {
    const auto& x = *n.notice;
    if (const auto dropped = notices.add({x.id, x.kind, x.expires, x.frame}); dropped > 0) {
      port->notices_dropped(dropped);
    }
    send_due(n.time, only_unsent);
  }
  done();
}

void device_session_state::acked(const session_acked& a) {
  for (const auto id : a.ids) {
    if (notices.acknowledge(id)) {
      port->acked({device, id, a.time});
    }
  }
  done();
}

void device_session_state::gone(const session_gone& g) {
  if (g.connection == connection) {
    connection = 0;
    since = g.time;
    report(false, g.time);
  }
  done();
}

void device_session_state::cancel(const session_cancel& c) {
  notices.cancel(c.notice);
  done();
}

void device_session_state::forget() {
  notices = {};
  done();
}

void device_session_state::announce() {
  if (connection != 0) {
    report(true, since);
  }
}

void device_session_state::tick(const session_tick& t) {
  if (const auto expired = notices.expire(t.time); expired > 0) {
    port->notices_dropped(expired);
  }
  send_due(t.time, send_again_ms);
  done();
}

caf::behavior device_session(
  caf::stateful_actor<device_session_state>* self,
  runtime::session_port* port,
  std::int64_t device) {
  auto& s = self->state;
  s.port = port;
  s.device = device;
  // What is not in the list cannot come: every sender is session_host.cpp.
  return {
    [&s](const runtime::session_hello& h) { ++s.received, s.hello(h); },
    [&s](const session_notify& n) { ++s.received, s.notify(n); },
    [&s](const session_acked& a) { ++s.received, s.acked(a); },
    [&s](const session_gone& g) { ++s.received, s.gone(g); },
    [&s](const session_cancel& c) { ++s.received, s.cancel(c); },
    [&s](const session_forget&) { ++s.received, s.forget(); },
    [&s](const session_announce&) { ++s.received, s.announce(); },
    [&s](const session_tick& t) { ++s.received, s.tick(t); },
  };
}

}  // namespace slipway::actors
