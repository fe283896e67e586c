#pragma once

#include "messages/edge_bus.hpp"
#include "runtime/overlay/admission.hpp"
#include "runtime/overlay/call_table.hpp"
#include "runtime/overlay/connections.hpp"
#include "runtime/overlay/edge_config.hpp"
#include "runtime/overlay/session_host.hpp"
#include "runtime/zap_gate.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::runtime {

/// What the edge's rules need of its sockets.
class edge_wire {
public:
  virtual ~edge_wire() = default;
  /// False when the device is gone or its queue is full.
  virtual bool send(const std::string& uuid, std::string_view frame) = 0;
  /// Ends a TCP connection now.
  virtual void shut(int descriptor) = 0;
  /// Bytes that came in over a TCP connection so far, 0 when unknown.
  virtual std::uint64_t received(int descriptor) = 0;
  /// Any message for the core; false when it cannot go out.
  virtual bool to_core(std::string sealed) = 0;
};

/// The edge's two clocks at one instant, ms.
struct instant {
  std::int64_t steady = 0;
  std::int64_t wall = 0;
};

/// One frame as it came from the ROUTER.
struct incoming_frame {
  std::string_view routing_id;  ///< what the peer calls itself: not to be believed
  std::string user;             ///< what its key says it is
  int descriptor = -1;
  std::string address;
  std::string_view payload;
  bool single = true;  ///< no further parts
};

/// The rules of an edge without its sockets: who is admitted, which connection is whose, what a frame may do. One thread.
class edge_core {
public:
  edge_core(const edge_config& config, edge_wire& wire, session_host& host, instant start);

  /// `first`: not a request that was put off before.
  zap_verdict authenticate(const std::string& key, bool first, instant now);
  void accepted(int descriptor, instant now);
  void closed(int descriptor, instant now);
  void frame(const incoming_frame& in, instant now);
  void core_message(const messages::envelope& e, instant now);
  /// The bus is connected anew: joins and announces every session.
  void core_up(const std::string& endpoint, instant now);
  /// A session's frame for its connection.
  void send(std::uint64_t connection, std::string_view frame);
  void reports(
    std::vector<messages::presence_entry> presence,
    std::vector<messages::acked_notice> acked,
    std::uint64_t notices_dropped,
    instant now);
  /// Time-outs and beats. Call at least each 100 ms.
  void tick(instant now);
  /// Says bye to every session.
  void drain(instant now);

  [[nodiscard]] std::uint64_t epoch_start() const { return epoch_start_; }
  [[nodiscard]] const messages::edge_counters& counters() const { return counters_; }

private:
  using connection = connections::connection;

  /// Whether this key was let in, showed nothing for as long as makes a connection mute, and is back.
  bool was_mute(admission::device& d, instant now) const;
  bool within_rate(connection& c, instant now) const;
  connection*
  adopt(connection& c, const admission::device& d, const incoming_frame& in, instant now);
  void take(connection& c, const messages::envelope& e, instant now);
  void take_hello(connection& c, const messages::hello& h, instant now);
  void foreign(connection& c, const incoming_frame& in, instant now);
  void malformed(connection& c, instant now);
  void kick(connection& c, instant now);
  void kick_with_bye(connection& c, messages::bye_reason reason, std::string detail, instant now);
  void end_session(connection& c, instant now);
  void cut(const std::vector<std::string>& uuids, messages::bye_reason reason, instant now);
  void revoke(const messages::revoke& r, instant now);
  void notify(const messages::send_notice& s, instant now);
  void call(const messages::send_call& m, instant now);
  [[nodiscard]] messages::call_outcome send_call(const messages::send_call& m, instant now);
  void take_answer(connection& c, messages::call_answer a, instant now);
  void no_answer(const call_table::entry& e, messages::call_outcome why, instant now);
  void alarm(messages::edge_alarm a, instant now);
  void every_second(instant now);
  void find_hoards(instant now);
  bool stuffed(connection& c);
  void beat(instant now);
  std::uint64_t next_epoch(instant now);

  template <class T>
  bool tell_core(const T& x, instant now) {
    return wire_.to_core(messages::seal(x, ++sent_, now.wall));
  }
  template <class T>
  void tell_device(const connection& c, const T& x, instant now) {
    wire_.send(c.uuid, messages::seal(x, ++sent_, now.wall));
  }

  const edge_config& config_;
  edge_wire& wire_;
  session_host& host_;
  admission admission_;
  connections connections_;
  call_table calls_;
  token_bucket handshakes_;
  messages::edge_counters counters_;
  std::uint64_t epoch_start_;
  std::uint64_t epoch_;
  std::uint64_t sent_ = 0;
  std::int64_t second_at_ = 0;
  std::int64_t beat_at_ = 0;
  std::int64_t session_tick_at_ = 0;
  std::int64_t hoard_slot_ = 0;
  std::int64_t alarm_minute_ = 0;
  int alarms_in_minute_ = 0;
  std::vector<std::uint64_t> closing_;
};

}  // namespace slipway::runtime
