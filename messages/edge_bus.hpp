#pragma once

#include "messages/envelope.hpp"
#include "messages/fields.hpp"
#include "messages/overlay.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// What the core and an edge tell each other over the bus (docs/protocols/bus.md).
namespace slipway::messages {

/// A device that may hold a session.
struct admitted_device {
  std::int64_t device = 0;  ///< row
  std::string uuid;
  std::string public_key;  ///< Z85
  SLIPWAY_FIELDS(device, uuid, public_key)
  friend bool operator==(const admitted_device&, const admitted_device&) = default;
};

/// The whole table, in parts of at most `admit_devices_max`. It takes effect when all parts are there: whoever is not in it is
/// refused from then on and, when connected, kicked.
struct admit_all {
  static constexpr message_type type = message_type::admit_all;
  static constexpr std::uint8_t version = 1;
  std::uint64_t table = 0;  ///< the same in all parts of one table
  std::uint32_t part = 0;   ///< from 0
  std::uint32_t parts = 1;
  std::vector<admitted_device> devices;
  SLIPWAY_FIELDS(table, part, parts, devices)
  friend bool operator==(const admit_all&, const admit_all&) = default;
};

constexpr std::size_t admit_devices_max = 5'000;

/// Adds devices, or gives them another key (the old one is cut at once).
struct admit {
  static constexpr message_type type = message_type::admit;
  static constexpr std::uint8_t version = 1;
  std::vector<admitted_device> devices;
  SLIPWAY_FIELDS(devices)
  friend bool operator==(const admit&, const admit&) = default;
};

/// Removes devices and kicks them at once.
struct revoke {
  static constexpr message_type type = message_type::revoke;
  static constexpr std::uint8_t version = 1;
  std::vector<std::int64_t> devices;
  SLIPWAY_FIELDS(devices)
  friend bool operator==(const revoke&, const revoke&) = default;
};

/// One notice for many devices. Devices without a session keep it until it expires, but for `update`: they fetch their
/// target state on connecting anyway.
struct send_notice {
  static constexpr message_type type = message_type::send_notice;
  static constexpr std::uint8_t version = 1;
  messages::notice notice;
  std::vector<std::int64_t> devices;
  SLIPWAY_FIELDS(notice, devices)
  friend bool operator==(const send_notice&, const send_notice&) = default;
};

/// Forgets a notice that was not yet acknowledged. A device that has it already is not told.
struct cancel_notice {
  static constexpr message_type type = message_type::cancel_notice;
  static constexpr std::uint8_t version = 1;
  std::uint64_t notice = 0;
  std::vector<std::int64_t> devices;
  SLIPWAY_FIELDS(notice, devices)
  friend bool operator==(const cancel_notice&, const cancel_notice&) = default;
};

/// A request for one device. The edge answers with exactly one call_result, unless it ends.
struct send_call {
  static constexpr message_type type = message_type::send_call;
  static constexpr std::uint8_t version = 1;
  std::int64_t device = 0;
  messages::call call;
  SLIPWAY_FIELDS(device, call)
  friend bool operator==(const send_call&, const send_call&) = default;
};

/// First message of an edge on each new bus connection; the core answers with admit_all, the edge then sends the presence
/// of all its sessions.
struct edge_joined {
  static constexpr message_type type = message_type::edge_joined;
  static constexpr std::uint8_t version = 1;
  std::int64_t edge = 0;
  std::uint64_t epoch_start = 0;  ///< every epoch of this edge process is larger
  std::string endpoint;           ///< where devices connect to, as bound
  std::int64_t pid = 0;
  SLIPWAY_FIELDS(edge, epoch_start, endpoint, pid)
  friend bool operator==(const edge_joined&, const edge_joined&) = default;
};

struct presence_entry {
  std::int64_t device = 0;
  std::uint64_t epoch = 0;
  bool online = false;
  std::int64_t time = 0;
  std::string address;  ///< of the device as the edge sees it
  SLIPWAY_FIELDS(device, epoch, online, time, address)
  friend bool operator==(const presence_entry&, const presence_entry&) = default;
};

struct presence_batch {
  static constexpr message_type type = message_type::presence_batch;
  static constexpr std::uint8_t version = 1;
  std::int64_t edge = 0;
  std::vector<presence_entry> entries;
  SLIPWAY_FIELDS(edge, entries)
  friend bool operator==(const presence_batch&, const presence_batch&) = default;
};

struct edge_counters {
  std::uint64_t sessions = 0;  ///< now; all others since the edge started
  std::uint64_t frames = 0;
  std::uint64_t handshakes = 0;
  std::uint64_t unknown_key = 0;
  std::uint64_t refused_key = 0;  ///< known keys in their time of penance
  std::uint64_t put_off = 0;      ///< handshakes that had to wait: rate, full, or a takeover
  std::uint64_t dropped_foreign_identity = 0;
  std::uint64_t malformed = 0;
  std::uint64_t kicks = 0;
  std::uint64_t takeovers = 0;  ///< a device came back while its old connection still stood
  std::uint64_t mute = 0;       ///< connections closed because no frame ever came
  std::uint64_t notices_sent = 0;
  std::uint64_t notices_acked = 0;
  std::uint64_t notices_dropped = 0;  ///< by a full queue or expiry
  std::uint64_t calls = 0;            ///< sent to devices
  std::uint64_t calls_answered = 0;
  std::uint64_t calls_unanswered = 0;  ///< sent, but the device left or took too long
  std::uint64_t calls_refused = 0;     ///< not sent: no session, too many at once, or an old agent
  std::uint64_t answers_unasked = 0;   ///< to no call of that connection: late, or made up
  SLIPWAY_FIELDS(
    sessions,
    frames,
    handshakes,
    unknown_key,
    refused_key,
    put_off,
    dropped_foreign_identity,
    malformed,
    kicks,
    takeovers,
    mute,
    notices_sent,
    notices_acked,
    notices_dropped,
    calls,
    calls_answered,
    calls_unanswered,
    calls_refused,
    answers_unasked)
  friend bool operator==(const edge_counters&, const edge_counters&) = default;
};

/// Renews the lease of all sessions of an edge.
struct edge_beat {
  static constexpr message_type type = message_type::edge_beat;
  static constexpr std::uint8_t version = 2;
  std::int64_t edge = 0;
  std::uint32_t lease_ms = 0;  ///< from the receipt of this message
  edge_counters counters;
  SLIPWAY_FIELDS(edge, lease_ms, counters)
  friend bool operator==(const edge_beat&, const edge_beat&) = default;
};

struct acked_notice {
  std::int64_t device = 0;
  std::uint64_t notice = 0;
  std::int64_t time = 0;
  SLIPWAY_FIELDS(device, notice, time)
  friend bool operator==(const acked_notice&, const acked_notice&) = default;
};

struct notices_acked {
  static constexpr message_type type = message_type::notices_acked;
  static constexpr std::uint8_t version = 1;
  std::vector<acked_notice> entries;
  SLIPWAY_FIELDS(entries)
  friend bool operator==(const notices_acked&, const notices_acked&) = default;
};

/// What became of a call. Numbers are on the wire: never reused.
enum class call_outcome : std::uint8_t {
  none = 0,
  answered = 1,
  not_connected = 2,  ///< never sent: the device has no session
  gone = 3,           ///< sent, then the connection ended: it may have been carried out
  timed_out = 4,      ///< sent, no answer in time: it may have been carried out
  busy = 5,           ///< never sent: too many calls to this device or in all
  unsupported = 6,    ///< never sent: its agent does not know calls
  broken = 7,         ///< the answer was not one
};

struct call_result {
  static constexpr message_type type = message_type::call_result;
  static constexpr std::uint8_t version = 1;
  std::int64_t device = 0;
  call_outcome outcome = call_outcome::none;
  call_answer answer;  ///< its id is the call's, whatever the outcome
  SLIPWAY_FIELDS(device, outcome, answer)
  friend bool operator==(const call_result&, const call_result&) = default;
};

/// Numbers are on the wire: never reused.
enum class alarm_kind : std::uint8_t {
  none = 0,
  foreign_identity = 1,  ///< a valid key claimed another device's routing id
  malformed_frames = 2,  ///< a device was kicked for frames that do not decode
};

/// Something that a person should hear of. At most `alarms_per_minute_max` a minute; the counters always count.
struct edge_alarm {
  static constexpr message_type type = message_type::edge_alarm;
  static constexpr std::uint8_t version = 1;
  alarm_kind kind = alarm_kind::none;
  std::string uuid;     ///< whose key it was
  std::string claimed;  ///< hex of what it claimed to be
  std::string address;
  SLIPWAY_FIELDS(kind, uuid, claimed, address)
  friend bool operator==(const edge_alarm&, const edge_alarm&) = default;
};

}  // namespace slipway::messages
