#pragma once

#include "runtime/overlay/session_host.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdint>
#include <memory>
#include <vector>

/// What a device session is told. In-process only, so they need no inspection.
namespace slipway::actors {

struct session_notify {
  std::shared_ptr<const runtime::prepared_notice> notice;
  std::int64_t time = 0;
};

struct session_acked {
  std::vector<std::uint64_t> ids;
  std::int64_t time = 0;
};

struct session_gone {
  std::uint64_t connection = 0;
  std::int64_t time = 0;
};

struct session_cancel {
  std::uint64_t notice = 0;
};

struct session_forget {};
struct session_announce {};

struct session_tick {
  std::int64_t time = 0;
};

}  // namespace slipway::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::runtime::session_hello)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_notify)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_acked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_gone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_cancel)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_forget)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_announce)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::actors::session_tick)
