#pragma once

#include "messages/codec.hpp"
#include "messages/error.hpp"
#include "messages/fields.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::messages {

/// The one table of what can stand in an envelope. Numbers are on the wire: never reused.
/// 32 to 47 are kept for byte streams. docs/protocols/overlay.md, bus.md and builder.md describe each.
enum class message_type : std::uint16_t {
  none = 0,
  // device to edge
  hello = 1,
  ping = 2,
  notice_ack = 3,
  call_answer = 4,
  // edge to device
  welcome = 16,
  pong = 17,
  notice = 18,
  bye = 19,
  call = 20,
  // core to edge
  admit_all = 64,
  admit = 65,
  revoke = 66,
  send_notice = 67,
  cancel_notice = 68,
  send_call = 69,
  // edge to core
  edge_joined = 80,
  presence_batch = 81,
  edge_beat = 82,
  notices_acked = 83,
  edge_alarm = 84,
  call_result = 85,
  // build worker to core
  worker_joined = 96,
  worker_beat = 97,
  get_source = 98,
  get_push_token = 99,
  build_output = 100,
  service_changed = 101,
  build_ended = 102,
  // core to build worker
  run_build = 112,
  cancel_build = 113,
  source_part = 114,
  push_token = 115,
};

/// What every message between processes travels in: a msgpack array of five, the payload as bin.
struct envelope {
  message_type type = message_type::none;
  std::uint8_t version = 1;
  std::uint64_t id = 0;   ///< the sender's number for it; of a notice, the notice's id
  std::int64_t time = 0;  ///< when it was sent, ms since 1970, UTC, by the sender's clock
  std::vector<char> payload;
  SLIPWAY_FIELDS(type, version, id, time, payload)
  friend bool operator==(const envelope&, const envelope&) = default;
};

/// A message that names its type and version: `static constexpr message_type type`, `static constexpr uint8_t version`.
template <class T>
concept enveloped = has_fields<T> && requires {
  { T::type } -> std::convertible_to<message_type>;
  { T::version } -> std::convertible_to<std::uint8_t>;
};

template <enveloped T>
std::string seal(const T& x, std::uint64_t id, std::int64_t time) {
  const auto payload = pack(x);
  return pack(envelope{T::type, T::version, id, time, {payload.begin(), payload.end()}});
}

/// The message in an envelope. Errors: corrupt (payload), unsupported (another type, or version 0).
template <enveloped T>
result<T> open(const envelope& e) {
  if (e.type != T::type || e.version == 0) {
    return fail(errc::unsupported, "another type of message was expected");
  }
  return unpack<T>(std::string_view(e.payload.data(), e.payload.size()));
}

/// Decodes envelopes that follow each other, untrusted bytes. Errors: corrupt; too_large when there are more than `count_max`.
[[nodiscard]] result<std::vector<envelope>> unpack_envelopes(
  std::string_view bytes,
  std::size_t count_max);

}  // namespace slipway::messages
