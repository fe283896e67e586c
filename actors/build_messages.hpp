#pragma once

#include "actors/builds.hpp"
#include "messages/build_bus.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <functional>
#include <string>

/// What builds and the actor that gives out workers tell each other. In this process only.
namespace slipway::actors {

// A build to the manager.

struct build_registered {
  std::int64_t build = 0;
  std::int64_t release = 0;
};
struct build_wants_worker {
  std::int64_t build = 0;
  std::string architecture;  ///< slug
  std::string avoid;         ///< the worker that had it before, "" = none
};
struct build_left_worker {
  std::int64_t build = 0;
  std::string failed = {};       ///< the worker, when it was its fault
  std::string unreachable = {};  ///< the worker, when no word to it went out
};

// The manager to a build.

struct build_granted {
  std::string worker;
};
struct build_lost_worker {
  std::string reason;
};
/// Its worker does not name it among its builds.
struct build_missed {
  std::string worker;
};
struct build_cancel {
  std::string reason;
};
/// Its push is over: the ref says how it ends. Who asks is told by the manager, once the build is gone.
struct build_settle {};
/// What a worker said of it.
struct build_word {
  std::string worker;
  messages::envelope word;
};

/// A build to itself: something to be tried again.
struct build_again {
  std::function<void()> what;
};

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_registered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_wants_worker)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_left_worker)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_granted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_lost_worker)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_missed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_cancel)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_settle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_word)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::build_again)
