#pragma once

#include "messages/envelope.hpp"
#include "messages/fields.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// What a device and an edge tell each other (docs/protocols/overlay.md). Each is the payload of an envelope, one envelope a
/// ZeroMQ message. Device answers are hostile input.
namespace slipway::messages {

/// Numbers are on the wire: never reused.
enum class notice_kind : std::uint8_t {
  none = 0,
  update = 1,   ///< fetch the target state now; only the latest counts
  restart = 2,  ///< restart the services of an application
  reboot = 3,
  shutdown = 4,
  purge = 5,            ///< empty the volumes of an application
  blink = 6,            ///< identify yourself
  restart_service = 7,  ///< payload names it
  start_service = 8,
  stop_service = 9,
};

/// Why an edge ends a session. Numbers are on the wire: never reused.
enum class bye_reason : std::uint8_t {
  none = 0,
  revoked = 1,      ///< the key or the device is gone; do not come back soon
  draining = 2,     ///< this edge stops; come back after a random pause
  hello_first = 3,  ///< a frame came before hello; say hello on the same connection
  silent = 4,       ///< no ping for three keep-alives
  malformed = 5,    ///< too many frames that do not decode
};

/// What a device understands beyond the first version of the protocol: bits of `hello::capabilities`, never reused.
namespace capability {
constexpr std::uint32_t calls = 1;
}

/// First frame of the device on each new connection.
struct hello {
  static constexpr message_type type = message_type::hello;
  static constexpr std::uint8_t version = 2;
  std::string uuid;  ///< must be the one that the key is registered for
  std::string agent_version;
  std::uint64_t last_notice = 0;   ///< highest id acknowledged so far, 0 = none
  std::uint32_t keepalive_ms = 0;  ///< wished for, 0 = the edge's default
  std::uint32_t capabilities = 0;  ///< since version 2
  SLIPWAY_FIELDS(uuid, agent_version, last_notice, keepalive_ms, capabilities)
  friend bool operator==(const hello&, const hello&) = default;
};

/// Renews the session. Sent each `welcome::keepalive_ms`.
struct ping {
  static constexpr message_type type = message_type::ping;
  static constexpr std::uint8_t version = 1;
  std::uint64_t sequence = 0;
  SLIPWAY_FIELDS(sequence)
  friend bool operator==(const ping&, const ping&) = default;
};

/// The device has these for good: the edge forgets them.
struct notice_ack {
  static constexpr message_type type = message_type::notice_ack;
  static constexpr std::uint8_t version = 1;
  std::vector<std::uint64_t> ids;
  SLIPWAY_FIELDS(ids)
  friend bool operator==(const notice_ack&, const notice_ack&) = default;
};

struct welcome {
  static constexpr message_type type = message_type::welcome;
  static constexpr std::uint8_t version = 1;
  std::uint64_t epoch = 0;         ///< of this session; grows with each
  std::int64_t time_ms = 0;        ///< the edge's clock, for devices that do not know the time yet
  std::uint32_t keepalive_ms = 0;  ///< send a ping at least this often
  SLIPWAY_FIELDS(epoch, time_ms, keepalive_ms)
  friend bool operator==(const welcome&, const welcome&) = default;
};

struct pong {
  static constexpr message_type type = message_type::pong;
  static constexpr std::uint8_t version = 1;
  std::uint64_t sequence = 0;
  std::int64_t time_ms = 0;
  SLIPWAY_FIELDS(sequence, time_ms)
  friend bool operator==(const pong&, const pong&) = default;
};

/// Something the device should do now. Sent again on each reconnect until acknowledged or expired.
struct notice {
  static constexpr message_type type = message_type::notice;
  static constexpr std::uint8_t version = 1;
  std::uint64_t id = 0;
  notice_kind kind = notice_kind::none;
  std::int64_t expires = 0;  ///< ms since 1970 by the server's clock; 0 = never
  std::string payload;       ///< JSON, its members by kind; "" = none
  SLIPWAY_FIELDS(id, kind, expires, payload)
  friend bool operator==(const notice&, const notice&) = default;
};

constexpr std::size_t call_path_bytes_max = 1'024;
constexpr std::size_t call_body_bytes_max = 48U * 1024;
constexpr std::size_t call_answer_type_bytes_max = 128;
constexpr std::size_t call_answer_body_bytes_max =
  60U * 1024;  ///< all fits into one frame of 64 KiB

/// A request to the device's supervisor API. Sent at most once: never again after a reconnect. Only to devices with
/// `capability::calls`.
struct call {
  static constexpr message_type type = message_type::call;
  static constexpr std::uint8_t version = 1;
  std::uint64_t id = 0;
  std::string method;            ///< GET, POST, PATCH, ...
  std::string path;              ///< begins with '/', with its query; at most `call_path_bytes_max`
  std::string body;              ///< JSON, "" = none; at most `call_body_bytes_max`
  std::uint32_t timeout_ms = 0;  ///< from its receipt; later nobody waits for the answer
  SLIPWAY_FIELDS(id, method, path, body, timeout_ms)
  friend bool operator==(const call&, const call&) = default;
};

/// Answers one call on the connection that brought it. Hostile input: it counts only for a call that this device was asked.
struct call_answer {
  static constexpr message_type type = message_type::call_answer;
  static constexpr std::uint8_t version = 1;
  std::uint64_t id = 0;      ///< of the call
  std::uint16_t status = 0;  ///< HTTP, 200 to 599
  std::string content_type;  ///< "" = no body; at most `call_answer_type_bytes_max`
  std::string body;          ///< at most `call_answer_body_bytes_max`
  SLIPWAY_FIELDS(id, status, content_type, body)
  friend bool operator==(const call_answer&, const call_answer&) = default;
};

struct bye {
  static constexpr message_type type = message_type::bye;
  static constexpr std::uint8_t version = 1;
  bye_reason reason = bye_reason::none;
  std::string detail;  ///< for people
  SLIPWAY_FIELDS(reason, detail)
  friend bool operator==(const bye&, const bye&) = default;
};

}  // namespace slipway::messages
