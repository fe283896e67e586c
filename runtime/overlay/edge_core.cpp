#include "runtime/overlay/edge_core.hpp"

#include "runtime/crypto.hpp"
#include "runtime/log.hpp"

#include <algorithm>
#include <limits>

namespace slipway::runtime {

using messages::bye_reason;
using messages::message_type;

namespace {

constexpr int bye_linger_ms = 100;  // lets a bye reach its device before the connection is cut
constexpr int takeover_hold_ms =
  200;  // lets libzmq free the routing id of the connection that is cut
constexpr int takeover_settle_ms = 1'000;  // in which the one that was cut cannot slip in first
constexpr auto never = std::numeric_limits<std::int64_t>::max();
constexpr int put_off_ms = 100;
constexpr int full_put_off_ms = 5'000;
constexpr int session_tick_ms = 30'000;
constexpr int alarms_per_minute_max = 60;
constexpr std::size_t connections_spare = 1'000;  // beyond sessions_max, for those in a handshake
constexpr std::uint64_t unfinished_bytes_max = 8U << 20U;
constexpr std::int64_t hoard_slices = 10;
constexpr std::int64_t hoard_slice_ms = 100;
constexpr std::size_t acks_per_frame_max = 256;
constexpr std::size_t claimed_bytes_shown_max = 64;
constexpr std::uint32_t keepalive_ms_min = 1'000;
constexpr std::uint32_t keepalive_ms_max = 600'000;

/// 0 up to and without `limit`; 0 when that is none.
std::int64_t random_below(std::int64_t limit) {
  return limit <= 0 ? 0
                    : static_cast<std::int64_t>(random_u64() % static_cast<std::uint64_t>(limit));
}

}  // namespace

edge_core::edge_core(const edge_config& config, edge_wire& wire, session_host& host, instant start)
  : config_(config),
    wire_(wire),
    host_(host),
    handshakes_(config.handshakes_per_second_max, config.handshakes_per_second_max),
    // Microseconds: two edges of one device never share an epoch unless within one, and the numbers stay below 2^53.
    epoch_start_(std::max(config.epoch_floor, static_cast<std::uint64_t>(start.wall) * 1'000)),
    epoch_(epoch_start_),
    session_tick_at_(start.steady + session_tick_ms),
    hoard_slot_(start.steady / hoard_slice_ms) {}

std::uint64_t edge_core::next_epoch(instant now) {
  epoch_ = std::max(epoch_ + 1, static_cast<std::uint64_t>(now.wall) * 1'000);
  return epoch_;
}

zap_verdict edge_core::authenticate(const std::string& key, bool first, instant now) {
  using kind = zap_verdict::kind;
  counters_.handshakes += first ? 1 : 0;
  const auto later = [&](std::int64_t ms) {
    counters_.put_off += first ? 1 : 0;
    return zap_verdict{kind::later, {}, static_cast<int>(ms)};
  };
  if (!admission_.ready() || !handshakes_.take(now.steady)) {
    return later(put_off_ms);
  }
  auto* d = admission_.by_key(key);
  if (d == nullptr) {
    ++counters_.unknown_key;
    return {kind::refuse, {}, 0};
  }
  if (now.steady < d->refused_until) {
    ++counters_.refused_key;
    return {kind::refuse, {}, 0};
  }
  if (was_mute(*d, now)) {
    const auto least = config_.penance_ms / 2;
    d->refused_until = now.steady + least + random_below(config_.penance_ms - least);
    ++counters_.refused_key;
    return {kind::refuse, {}, 0};
  }
  auto* standing = connections_.by_uuid(d->uuid);
  const auto since_takeover = d->taken_over_at < 0 ? never : now.steady - d->taken_over_at;
  if (standing == nullptr && since_takeover >= takeover_settle_ms) {
    const bool full = connections_.bound() >= config_.sessions_max;
    if (full) {
      return later(full_put_off_ms);
    }
    d->silent_since = d->silent_since < 0 ? now.steady : d->silent_since;
    return {kind::admit, d->uuid, 0};
  }
  // The device is back while its old connection still stands, half dead most likely. Only the holder of the key gets here,
  // so the old one may go; ROUTER_HANDOVER is off, so it must be gone before the new one is let in.
  if (standing == nullptr || since_takeover < config_.takeover_ms) {
    return later(takeover_settle_ms);
  }
  d->taken_over_at = now.steady;
  ++counters_.takeovers;
  kick(*standing, now);
  return {kind::admit, d->uuid, takeover_hold_ms};
}

/// Such a key squats on a routing id, or another squats on its own: which, nobody can tell, since the ROUTER swallows their frames.
/// So each of them waits for a time of chance. The owner soon comes when nobody is there, and what has its frames keeps its routing id.
bool edge_core::was_mute(admission::device& d, instant now) const {
  const auto silent = d.silent_since < 0 ? 0 : now.steady - d.silent_since;
  if (silent < config_.mute_ms) {
    return false;
  }
  d.silent_since = -1;
  return silent < 2LL * config_.mute_ms;  // later it is a device whose network failed then
}

void edge_core::accepted(int descriptor, instant now) {
  if (connections_.size() >= config_.sessions_max + connections_spare) {
    ++counters_.put_off;
    wire_.shut(descriptor);
    return;
  }
  connections_.open(descriptor, now.steady);
}

void edge_core::closed(int descriptor, instant now) {
  if (auto* c = connections_.by_descriptor(descriptor); c != nullptr) {
    end_session(*c, now);
  }
  connections_.close(descriptor);
}

void edge_core::end_session(connection& c, instant now) {
  // A call belongs to its connection: whether it was carried out is not known, so it is never sent again.
  for (const auto& e : calls_.take_all_of(c.number)) {
    no_answer(e, messages::call_outcome::gone, now);
  }
  c.calls = 0;
  if (c.greeted) {
    --counters_.sessions;
    host_.gone(c.device, c.number, now.wall);
  }
  connections_.unbind(c);
}

void edge_core::kick(connection& c, instant now) {
  ++counters_.kicks;
  end_session(c, now);
  c.kicked = true;
  wire_.shut(c.descriptor);
}

void edge_core::kick_with_bye(connection& c, bye_reason reason, std::string detail, instant now) {
  tell_device(c, messages::bye{reason, std::move(detail)}, now);
  ++counters_.kicks;
  end_session(c, now);
  c.kicked = true;
  c.shutdown_at = now.steady + bye_linger_ms;
  closing_.push_back(c.number);
}

bool edge_core::within_rate(connection& c, instant now) const {
  const auto second = now.steady / 1'000;
  if (c.window != second) {
    c.window = second;
    c.frames = 0;
  }
  return ++c.frames <= config_.frames_per_second_max;
}

void edge_core::frame(const incoming_frame& in, instant now) {
  ++counters_.frames;
  auto* c = connections_.by_descriptor(in.descriptor);
  if (c == nullptr || c->kicked) {
    return;  // the last words of a connection that is closed already
  }
  c->framed = true;
  if (in.user != in.routing_id) {
    foreign(*c, in, now);
    return;
  }
  auto* d = admission_.by_uuid(in.user);
  if (d == nullptr) {
    kick(*c, now);
    return;
  }
  d->silent_since = -1;
  if (c->uuid != in.user) {
    c = adopt(*c, *d, in, now);
  }
  if (in.payload.empty() && in.single) {
    return;  // the probe that announces a connection
  }
  if (!in.single || !within_rate(*c, now)) {
    malformed(*c, now);
    return;
  }
  const auto e = messages::unpack<messages::envelope>(in.payload);
  if (!e) {
    malformed(*c, now);
    return;
  }
  take(*c, *e, now);
}

edge_core::connection*
edge_core::adopt(connection& c, const admission::device& d, const incoming_frame& in, instant now) {
  auto* mine = &c;
  if (c.device != 0) {
    // Another device's late frame had claimed this descriptor after it was reused: its session must not keep the number.
    end_session(c, now);
    mine = &connections_.open(c.descriptor, now.steady);
  }
  if (auto* old = connections_.by_uuid(d.uuid); old != nullptr && old != mine) {
    kick(*old, now);
  }
  connections_.bind(*mine, d.id, d.uuid);
  mine->address = in.address;
  mine->heard = now.steady;
  return mine;
}

void edge_core::take(connection& c, const messages::envelope& e, instant now) {
  const bool known = e.type == message_type::hello || e.type == message_type::ping
                     || e.type == message_type::notice_ack || e.type == message_type::call_answer;
  if (!known) {
    malformed(c, now);
    return;
  }
  c.heard = now.steady;
  if (e.type == message_type::hello) {
    const auto h = messages::open<messages::hello>(e);
    if (!h || h->uuid != c.uuid) {
      malformed(c, now);
      return;
    }
    take_hello(c, *h, now);
    return;
  }
  if (!c.greeted) {
    tell_device(c, messages::bye{bye_reason::hello_first, "say hello first"}, now);
    return;
  }
  if (e.type == message_type::ping) {
    const auto p = messages::open<messages::ping>(e);
    if (!p) {
      malformed(c, now);
      return;
    }
    tell_device(c, messages::pong{p->sequence, now.wall}, now);
    return;
  }
  if (e.type == message_type::call_answer) {
    auto a = messages::open<messages::call_answer>(e);
    if (!a) {
      malformed(c, now);
      return;
    }
    take_answer(c, std::move(*a), now);
    return;
  }
  auto ack = messages::open<messages::notice_ack>(e);
  if (!ack || ack->ids.size() > acks_per_frame_max) {
    malformed(c, now);
    return;
  }
  host_.acked(c.device, std::move(ack->ids), now.wall);
}

void edge_core::take_hello(connection& c, const messages::hello& h, instant now) {
  if (!c.greeted) {
    c.greeted = true;
    c.epoch = next_epoch(now);
    ++counters_.sessions;
  }
  c.capabilities = h.capabilities;
  const auto wish = h.keepalive_ms == 0 ? config_.keepalive_ms : h.keepalive_ms;
  c.keepalive_ms =
    std::clamp(wish, std::min(keepalive_ms_min, config_.keepalive_ms), keepalive_ms_max);
  const messages::welcome w{c.epoch, now.wall, c.keepalive_ms};
  host_.hello(
    {c.device,
     c.number,
     c.epoch,
     now.wall,
     c.address,
     std::make_shared<const std::string>(messages::seal(w, ++sent_, now.wall))});
}

void edge_core::foreign(connection& c, const incoming_frame& in, instant now) {
  ++counters_.dropped_foreign_identity;
  alarm(
    {messages::alarm_kind::foreign_identity,
     in.user,
     hex(in.routing_id.substr(0, claimed_bytes_shown_max)),
     in.address},
    now);
  kick(c, now);
  if (auto* d = admission_.by_uuid(in.user); d != nullptr) {
    d->refused_until = now.steady + config_.penance_ms;
    if (auto* other = connections_.by_uuid(in.user); other != nullptr) {
      kick(*other, now);
    }
  }
}

void edge_core::malformed(connection& c, instant now) {
  ++counters_.malformed;
  if (++c.malformed < config_.malformed_max) {
    return;
  }
  alarm({messages::alarm_kind::malformed_frames, c.uuid, "", c.address}, now);
  kick_with_bye(c, bye_reason::malformed, "too many malformed frames", now);
}

void edge_core::alarm(messages::edge_alarm a, instant now) {
  if (alarm_minute_ != now.steady / 60'000) {
    alarm_minute_ = now.steady / 60'000;
    alarms_in_minute_ = 0;
  }
  if (++alarms_in_minute_ > alarms_per_minute_max) {
    return;
  }
  log::warn(
    a.kind == messages::alarm_kind::foreign_identity ? "a device claimed another identity: kicked"
                                                     : "a device sent malformed frames: kicked",
    {{"uuid", a.uuid}, {"claimed", a.claimed}, {"address", a.address}});
  tell_core(a, now);
}

void edge_core::cut(const std::vector<std::string>& uuids, bye_reason reason, instant now) {
  for (const auto& uuid : uuids) {
    if (auto* c = connections_.by_uuid(uuid); c != nullptr) {
      kick_with_bye(*c, reason, "", now);
    }
  }
}

void edge_core::revoke(const messages::revoke& r, instant now) {
  cut(admission_.take(r), bye_reason::revoked, now);
  for (const auto id : r.devices) {
    host_.forget(id);
  }
}

void edge_core::notify(const messages::send_notice& s, instant now) {
  if (s.notice.expires != 0 && s.notice.expires <= now.wall) {
    counters_.notices_dropped += s.devices.size();
    return;
  }
  std::vector<std::int64_t> admitted;
  admitted.reserve(s.devices.size());
  for (const auto id : s.devices) {
    if (admission_.by_id(id) != nullptr) {
      admitted.push_back(id);
    }
  }
  auto prepared = std::make_shared<prepared_notice>();
  prepared->id = s.notice.id;
  prepared->kind = s.notice.kind;
  prepared->expires = s.notice.expires;
  prepared->frame =
    std::make_shared<const std::string>(messages::seal(s.notice, s.notice.id, now.wall));
  counters_.notices_sent += admitted.size();
  host_.notify(std::move(prepared), admitted, now.wall);
}

messages::call_outcome edge_core::send_call(const messages::send_call& m, instant now) {
  using messages::call_outcome;
  const auto* d = admission_.by_id(m.device);
  auto* c = d == nullptr ? nullptr : connections_.by_uuid(d->uuid);
  if (c == nullptr || !c->greeted || c->kicked) {
    return call_outcome::not_connected;
  }
  if ((c->capabilities & messages::capability::calls) == 0) {
    return call_outcome::unsupported;
  }
  const auto second = now.steady / 1'000;
  if (c->calls_window != second) {
    c->calls_window = second;
    c->calls_begun = 0;
  }
  if (
    calls_.size() >= config_.calls_max || c->calls >= config_.calls_per_device_max
    || c->calls_begun >= config_.calls_per_second_max) {
    return call_outcome::busy;
  }
  if (!calls_.add({m.call.id, m.device, c->number, now.steady + m.call.timeout_ms})) {
    return call_outcome::busy;
  }
  if (!wire_.send(c->uuid, messages::seal(m.call, m.call.id, now.wall))) {
    (void)calls_.take(m.call.id, c->number);
    return call_outcome::busy;
  }
  ++c->calls;
  ++c->calls_begun;
  ++counters_.calls;
  return call_outcome::none;
}

void edge_core::call(const messages::send_call& m, instant now) {
  const auto outcome = send_call(m, now);
  if (outcome != messages::call_outcome::none) {
    ++counters_.calls_refused;
    tell_core(messages::call_result{m.device, outcome, {m.call.id, 0, "", ""}}, now);
  }
}

void edge_core::no_answer(const call_table::entry& e, messages::call_outcome why, instant now) {
  ++counters_.calls_unanswered;
  tell_core(messages::call_result{e.device, why, {e.call, 0, "", ""}}, now);
}

void edge_core::take_answer(connection& c, messages::call_answer a, instant now) {
  const auto asked = calls_.take(a.id, c.number);
  if (!asked) {
    ++counters_.answers_unasked;
    return;
  }
  --c.calls;
  ++counters_.calls_answered;
  const bool sound = a.status >= 200 && a.status < 600
                     && a.content_type.size() <= messages::call_answer_type_bytes_max
                     && a.body.size() <= messages::call_answer_body_bytes_max;
  const auto outcome = sound ? messages::call_outcome::answered : messages::call_outcome::broken;
  if (!sound) {
    a = {a.id, 0, "", ""};
    malformed(c, now);
  }
  tell_core(messages::call_result{asked->device, outcome, std::move(a)}, now);
}

void edge_core::core_message(const messages::envelope& e, instant now) {
  bool understood = false;
  const auto with = [&](auto message, auto&& act) {
    understood = message.has_value();
    if (understood) {
      act(std::move(*message));
    }
  };
  switch (e.type) {
    case message_type::admit_all:
      with(messages::open<messages::admit_all>(e), [&](messages::admit_all m) {
        cut(admission_.take(std::move(m)), bye_reason::revoked, now);
      });
      break;
    case message_type::admit:
      with(messages::open<messages::admit>(e), [&](const messages::admit& m) {
        cut(admission_.take(m), bye_reason::revoked, now);
      });
      break;
    case message_type::revoke:
      with(messages::open<messages::revoke>(e), [&](const messages::revoke& m) { revoke(m, now); });
      break;
    case message_type::send_notice:
      with(messages::open<messages::send_notice>(e), [&](const messages::send_notice& m) {
        notify(m, now);
      });
      break;
    case message_type::cancel_notice:
      with(messages::open<messages::cancel_notice>(e), [&](const messages::cancel_notice& m) {
        host_.cancel(m.notice, m.devices);
      });
      break;
    case message_type::send_call:
      with(messages::open<messages::send_call>(e), [&](const messages::send_call& m) {
        call(m, now);
      });
      break;
    default:
      break;
  }
  if (!understood) {
    log::warn(
      "a message of the core was not understood",
      {{"type", std::to_string(static_cast<int>(e.type))}});
  }
}

void edge_core::core_up(const std::string& endpoint, instant now) {
  tell_core(messages::edge_joined{config_.edge, epoch_start_, endpoint, 0}, now);
  host_.announce();
  beat(now);
}

void edge_core::send(std::uint64_t number, std::string_view frame) {
  const auto* c = connections_.by_number(number);
  if (c != nullptr && c->greeted && !c->kicked) {
    wire_.send(c->uuid, frame);
  }
}

void edge_core::reports(
  std::vector<messages::presence_entry> presence,
  std::vector<messages::acked_notice> acked,
  std::uint64_t notices_dropped,
  instant now) {
  counters_.notices_dropped += notices_dropped;
  counters_.notices_acked += acked.size();
  if (!presence.empty()) {
    // Lost only when the bus is down; every session is announced when it is up again.
    tell_core(messages::presence_batch{config_.edge, std::move(presence)}, now);
  }
  if (!acked.empty()) {
    tell_core(messages::notices_acked{std::move(acked)}, now);
  }
}

void edge_core::beat(instant now) {
  beat_at_ = now.steady + config_.lease_ms / 3;
  tell_core(messages::edge_beat{config_.edge, config_.lease_ms, counters_}, now);
}

void edge_core::tick(instant now) {
  std::erase_if(closing_, [&](std::uint64_t number) {
    const auto* c = connections_.by_number(number);
    if (c == nullptr) {
      return true;
    }
    if (c->shutdown_at > now.steady) {
      return false;
    }
    wire_.shut(c->descriptor);
    return true;
  });
  for (const auto& e : calls_.take_expired(now.steady)) {
    if (auto* c = connections_.by_number(e.connection); c != nullptr && c->calls > 0) {
      --c->calls;
    }
    no_answer(e, messages::call_outcome::timed_out, now);
  }
  if (now.steady >= beat_at_) {
    beat(now);
  }
  if (now.steady >= session_tick_at_) {
    session_tick_at_ = now.steady + session_tick_ms;
    host_.tick(now.wall);
  }
  if (now.steady >= second_at_) {
    second_at_ = now.steady + 1'000;
    every_second(now);
  }
  find_hoards(now);
}

// libzmq limits the size of a part but not their number, and gives a message out only when it is whole: a peer that never
// ends one would fill our memory.
bool edge_core::stuffed(connection& c) {
  const auto bytes = wire_.received(c.descriptor);
  if (c.framed) {
    c.framed = false;
    c.bytes = bytes;
  }
  return bytes > c.bytes + unfinished_bytes_max;
}

// Each connection once a second, a tenth of them at a time: to ask the kernel about 10,000 at once takes tens of
// milliseconds, in which no notice goes out.
void edge_core::find_hoards(instant now) {
  const auto slot = now.steady / hoard_slice_ms;
  const auto due = std::min(slot - hoard_slot_, hoard_slices);
  if (due <= 0) {
    return;
  }
  hoard_slot_ = slot;
  std::vector<std::uint64_t> hoard;
  connections_.each([&](connection& c) {
    const auto slice = static_cast<std::int64_t>(c.number % hoard_slices);
    const auto slots_ago = (slot % hoard_slices + hoard_slices - slice) % hoard_slices;
    if (slots_ago < due && !c.kicked && stuffed(c)) {
      hoard.push_back(c.number);
    }
  });
  for (const auto number : hoard) {
    ++counters_.malformed;
    kick(*connections_.by_number(number), now);
  }
}

void edge_core::every_second(instant now) {
  std::vector<std::uint64_t> mute;
  std::vector<std::uint64_t> silent;
  connections_.each([&](connection& c) {
    if (c.kicked) {
      return;
    }
    if (!c.greeted && now.steady - c.opened > config_.mute_ms) {
      mute.push_back(c.number);
    } else if (c.greeted && now.steady - c.heard > 3LL * c.keepalive_ms) {
      silent.push_back(c.number);
    }
  });
  // A squatter that claims a foreign routing id and stays silent, or is swallowed by the ROUTER because the owner is
  // online, shows itself only here: its connection never brings a valid frame.
  for (const auto number : mute) {
    ++counters_.mute;
    kick(*connections_.by_number(number), now);
  }
  for (const auto number : silent) {
    kick_with_bye(*connections_.by_number(number), bye_reason::silent, "no ping came", now);
  }
}

void edge_core::drain(instant now) {
  connections_.each([&](const connection& c) {
    if (c.greeted) {
      tell_device(c, messages::bye{bye_reason::draining, "the edge stops"}, now);
    }
  });
}

}  // namespace slipway::runtime
