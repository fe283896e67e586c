#pragma once

#include "messages/build.hpp"
#include "messages/event.hpp"
#include "runtime/directory.hpp"

#include <caf/actor_cast.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/event_based_actor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

namespace slipway::actors {

/// An actor's own reminder that a question may have stayed without an answer.
struct ask_overdue {
  std::uint64_t correlation = 0;
};

constexpr std::chrono::seconds entity_answer_max{20};

/// How an actor asks entities: by correlation number, as gateways do. Its owner passes on (correlation, outcome) and ask_overdue.
class entity_asker {
public:
  using answer = std::function<void(const messages::outcome&)>;

  void begin(caf::event_based_actor* self, runtime::directory* directory) {
    self_ = self;
    directory_ = directory;
  }

  /// `done` is called once, in the actor; with timed_out when there was no answer: the outcome is then unknown.
  template <class Command>
  void ask(messages::entity_ref to, Command command, answer done) {
    const auto number = ++last_;
    waiting_[number] = std::move(done);
    directory_->send(
      caf::actor_cast<caf::actor>(self_),
      to,
      caf::make_message(number, std::move(command)));
    self_->delayed_send(self_, entity_answer_max, ask_overdue{number});
  }

  void answered(std::uint64_t number, const messages::outcome& o) {
    const auto it = waiting_.find(number);
    if (it == waiting_.end()) {
      return;
    }
    const auto done = std::move(it->second);
    waiting_.erase(it);
    done(o);
  }

  void overdue(const ask_overdue& a) {
    answered(a.correlation, {{messages::errc::timed_out, "no answer: outcome unknown"}, {}});
  }

private:
  caf::event_based_actor* self_ = nullptr;
  runtime::directory* directory_ = nullptr;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, answer> waiting_;
};

/// Whether asking again may help, and the first time may have worked.
inline bool is_unknown(messages::errc code) {
  using messages::errc;
  return code == errc::timed_out || code == errc::unavailable || code == errc::io_failed
         || code == errc::disk_full || code == errc::too_many_requests;
}

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::ask_overdue)
