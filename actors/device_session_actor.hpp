#pragma once

#include "actors/session_messages.hpp"
#include "domain/notice_queue.hpp"

#include <caf/behavior.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <cstdint>
#include <string>

namespace slipway::actors {

/// One device's session at this edge: its presence and the notices it has not acknowledged. Untyped, since there is one per
/// device (building-blocks.md 1): its senders are all in session_host.cpp.
struct device_session_state {
  static inline const char* name = "device_session";

  void hello(const runtime::session_hello& h);
  void notify(const session_notify& n);
  void acked(const session_acked& a);
  void gone(const session_gone& g);
  void cancel(const session_cancel& c);
  void forget();
  void announce();
  void tick(const session_tick& t);

  runtime::session_port* port = nullptr;
  std::int64_t device = 0;
  std::uint64_t connection = 0;  ///< 0 = offline
  std::uint64_t epoch = 0;
  std::int64_t since = 0;
  std::string address;
  std::uint64_t received = 0;  ///< messages so far
  domain::notice_queue notices;

private:
  void send_due(std::int64_t now, std::int64_t again_after);
  void report(bool online, std::int64_t time);
  void done();
};

caf::behavior device_session(
  caf::stateful_actor<device_session_state>* self,
  runtime::session_port* port,
  std::int64_t device);

}  // namespace slipway::actors
