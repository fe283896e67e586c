#include "runtime/overlay/edge_core.hpp"
#include "runtime/overlay/session_leases.hpp"

#include <catch2/catch.hpp>

#include <map>

using namespace slipway;
using namespace slipway::runtime;
using messages::message_type;

namespace {

struct fake_wire : edge_wire {
  std::vector<std::pair<std::string, messages::envelope>> sent;
  std::vector<int> shut_down;
  std::vector<messages::envelope> core;
  std::map<int, std::uint64_t> bytes;

  bool send(const std::string& uuid, std::string_view frame) override {
    sent.emplace_back(uuid, *messages::unpack<messages::envelope>(frame));
    return true;
  }
  void shut(int descriptor) override { shut_down.push_back(descriptor); }
  std::uint64_t received(int descriptor) override { return bytes[descriptor]; }
  bool to_core(std::string sealed) override {
    core.push_back(*messages::unpack<messages::envelope>(sealed));
    return true;
  }
};

struct fake_host : session_host {
  std::vector<session_hello> hellos;
  std::vector<std::pair<std::int64_t, std::uint64_t>> ended;
  std::vector<std::int64_t> notified;
  std::vector<std::uint64_t> acks;

  void hello(session_hello h) override { hellos.push_back(std::move(h)); }
  void acked(std::int64_t, std::vector<std::uint64_t> ids, std::int64_t) override {
    acks.insert(acks.end(), ids.begin(), ids.end());
  }
  void gone(std::int64_t device, std::uint64_t connection, std::int64_t) override {
    ended.emplace_back(device, connection);
  }
  void notify(
    std::shared_ptr<const prepared_notice>,
    const std::vector<std::int64_t>& devices,
    std::int64_t) override {
    notified.insert(notified.end(), devices.begin(), devices.end());
  }
  void cancel(std::uint64_t, const std::vector<std::int64_t>&) override {}
  void forget(std::int64_t) override {}
  void announce() override {}
  void tick(std::int64_t) override {}
  void idle(std::int64_t, std::uint64_t) override {}
};

const std::string key_a(40, 'a');
const std::string key_b(40, 'b');

struct edge_fixture {
  edge_config config;
  fake_wire wire;
  fake_host host;
  instant now{1'000'000, 1'795'000'000'000};
  edge_core core{config, wire, host, now};

  edge_fixture() { tell(messages::admit_all{1, 0, 1, {{64, "a", key_a}, {128, "b", key_b}}}); }
  template <class T>
  void tell(const T& x) {
    core.core_message(*messages::unpack<messages::envelope>(messages::seal(x, 1, 1)), now);
  }
  void
  frame(int descriptor, const std::string& user, const std::string& claim, std::string payload) {
    core.frame({claim, user, descriptor, "127.0.0.1", payload, true}, now);
  }
  void hello(int descriptor, const std::string& uuid, std::uint32_t capabilities = 0) {
    const messages::hello h{uuid, "v", 0, 0, capabilities};
    frame(descriptor, uuid, uuid, messages::seal(h, 1, 1));
  }
  /// A device that takes calls.
  void connect(int descriptor, const std::string& uuid) {
    core.accepted(descriptor, now);
    hello(descriptor, uuid, messages::capability::calls);
  }
  void ask(std::int64_t device, std::uint64_t number) {
    tell(messages::send_call{device, {number, "POST", "/v1/restart", "{}", 50'000}});
  }
  void answer(int descriptor, const std::string& uuid, const messages::call_answer& a) {
    frame(descriptor, uuid, uuid, messages::seal(a, a.id, 1));
  }
  /// What the core was told of calls, in order.
  [[nodiscard]] std::vector<messages::call_result> results() const {
    std::vector<messages::call_result> out;
    for (const auto& e : wire.core) {
      if (e.type == message_type::call_result) {
        out.push_back(*messages::open<messages::call_result>(e));
      }
    }
    return out;
  }
  void pass(std::int64_t ms) {
    now.steady += ms;
    now.wall += ms;
    core.tick(now);
  }
};

}  // namespace

TEST_CASE("nobody is judged before the core's table is there") {
  edge_config config;
  fake_wire wire;
  fake_host host;
  edge_core core(config, wire, host, {1, 1});
  CHECK(core.authenticate(key_a, true, {2, 2}).what == zap_verdict::kind::later);
}

TEST_CASE("a key is admitted under the uuid it is registered for") {
  edge_fixture e;
  const auto verdict = e.core.authenticate(key_a, true, e.now);
  CHECK(verdict.what == zap_verdict::kind::admit);
  CHECK(verdict.user == "a");
  CHECK(e.core.authenticate(std::string(40, 'c'), true, e.now).what == zap_verdict::kind::refuse);
  e.tell(messages::revoke{{64}});
  CHECK(e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::refuse);
}

TEST_CASE("handshakes above the rate wait") {
  edge_fixture e;
  std::uint32_t admitted = 0;
  for (std::uint32_t i = 0; i < 2 * e.config.handshakes_per_second_max; ++i) {
    admitted += e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::admit ? 1 : 0;
  }
  CHECK(admitted == e.config.handshakes_per_second_max);
}

TEST_CASE("each session has a larger epoch than any before, also when the clock stands still") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.hello(5, "a");
  e.core.accepted(6, e.now);
  e.hello(6, "b");
  REQUIRE(e.host.hellos.size() == 2);
  CHECK(e.host.hellos[0].epoch > e.core.epoch_start());
  CHECK(e.host.hellos[1].epoch > e.host.hellos[0].epoch);
  edge_config later;
  later.epoch_floor = e.host.hellos[1].epoch + 1'000'000'000;
  edge_core next(later, e.wire, e.host, e.now);
  CHECK(next.epoch_start() >= later.epoch_floor);
}

TEST_CASE("a descriptor that is used again is another connection") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.hello(5, "a");
  const auto first = e.host.hellos.at(0).connection;
  e.core.closed(5, e.now);
  CHECK(e.host.ended == std::vector<std::pair<std::int64_t, std::uint64_t>>{{64, first}});
  e.core.accepted(5, e.now);
  SECTION("its new owner's session has another number") {
    e.hello(5, "b");
    CHECK(e.host.hellos.at(1).connection != first);
  }
  SECTION(
    "a late frame of the old owner does not keep the new one out, nor gets it the other's "
    "notices") {
    e.hello(5, "a");  // was still in the queue
    const auto false_one = e.host.hellos.at(1).connection;
    e.hello(5, "b");
    CHECK(e.host.ended.back() == std::pair<std::int64_t, std::uint64_t>{64, false_one});
    CHECK(e.host.hellos.at(2).device == 128);
    e.wire.sent.clear();
    e.core.send(false_one, messages::seal(messages::notice{}, 1, 1));
    CHECK(e.wire.sent.empty());
  }
  SECTION("a late end of the old use changes nothing for others") {
    e.core.accepted(6, e.now);
    e.hello(6, "a");
    e.core.closed(5, e.now);
    CHECK(e.host.ended.size() == 1);
  }
}

TEST_CASE(
  "a frame under a foreign routing id is dropped, reported, its connection cut and its key refused "
  "for a while") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.frame(5, "b", "a", messages::seal(messages::hello{"a", "v", 0, 0}, 1, 1));
  CHECK(e.host.hellos.empty());
  CHECK(e.wire.shut_down == std::vector<int>{5});
  CHECK(e.core.counters().dropped_foreign_identity == 1);
  REQUIRE_FALSE(e.wire.core.empty());
  CHECK(e.wire.core.back().type == message_type::edge_alarm);
  CHECK(e.core.authenticate(key_b, true, e.now).what == zap_verdict::kind::refuse);
  CHECK(e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::admit);
  e.now.steady += e.config.penance_ms;
  CHECK(e.core.authenticate(key_b, true, e.now).what == zap_verdict::kind::admit);
}

TEST_CASE("what a kicked connection still says is not heard") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.hello(5, "a");
  e.tell(messages::revoke{{64}});
  e.tell(messages::admit{{{64, "a", key_a}}});
  e.hello(5, "a");
  CHECK(e.host.hellos.size() == 1);
  CHECK(e.wire.sent.back().second.type == message_type::bye);
  e.pass(200);
  CHECK(e.wire.shut_down == std::vector<int>{5});
}

TEST_CASE("a device with a new key is cut from its old one") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.hello(5, "a");
  const std::string renewed(40, 'd');
  e.tell(messages::admit{{{64, "a", renewed}}});
  CHECK(e.host.ended.size() == 1);
  CHECK(e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::refuse);
  CHECK(e.core.authenticate(renewed, true, e.now).what == zap_verdict::kind::admit);
}

TEST_CASE("a device that comes back takes over, but a pair of clones cannot do so all the time") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.hello(5, "a");
  const auto back = e.core.authenticate(key_a, true, e.now);
  CHECK(back.what == zap_verdict::kind::admit);
  CHECK(back.hold_ms > 0);
  CHECK(e.wire.shut_down == std::vector<int>{5});
  CHECK(e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::later);
  e.core.closed(5, e.now);
  e.core.accepted(6, e.now);
  e.hello(6, "a");
  e.now.steady += 2'000;
  CHECK(e.core.authenticate(key_a, true, e.now).what == zap_verdict::kind::later);
  e.now.steady += e.config.takeover_ms;
  CHECK(e.core.authenticate(key_a, true, e.now).hold_ms > 0);
}

TEST_CASE("a key that was let in and stayed mute is refused for a while when it comes back") {
  using kind = zap_verdict::kind;
  edge_fixture e;
  const auto asked = [&](std::int64_t after) {
    e.now.steady += after;
    return e.core.authenticate(key_a, true, e.now).what;
  };
  SECTION("at once, and only for its penance") {
    REQUIRE(asked(0) == kind::admit);
    CHECK(asked(e.config.mute_ms) == kind::refuse);
    CHECK(asked(e.config.penance_ms / 2 - 1) == kind::refuse);
    CHECK(asked(e.config.penance_ms / 2 + 1) == kind::admit);
  }
  SECTION("although it closed its connection itself and came again before") {
    REQUIRE(asked(0) == kind::admit);
    REQUIRE(asked(e.config.mute_ms - 1) == kind::admit);
    CHECK(asked(1) == kind::refuse);
  }
  SECTION("but not a device that spoke meanwhile") {
    REQUIRE(asked(0) == kind::admit);
    e.connect(7, "a");
    e.core.closed(7, e.now);
    CHECK(asked(e.config.mute_ms) == kind::admit);
  }
  SECTION("nor one that was cut off and comes back much later") {
    REQUIRE(asked(0) == kind::admit);
    CHECK(asked(2LL * e.config.mute_ms) == kind::admit);
  }
}

TEST_CASE("connections that are mute, silent or never end a message are closed") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  SECTION("mute") {
    e.pass(e.config.mute_ms + 1'001);
    CHECK(e.core.counters().mute == 1);
    CHECK(e.wire.shut_down == std::vector<int>{5});
  }
  SECTION("silent") {
    e.hello(5, "a");
    e.pass(3LL * e.config.keepalive_ms + 1'001);
    CHECK(e.wire.sent.back().second.type == message_type::bye);
    CHECK(e.host.ended.size() == 1);
  }
  SECTION("unfinished") {
    e.hello(5, "a");
    e.wire.bytes[5] = 1'000;
    e.pass(1'001);
    CHECK(e.wire.shut_down.empty());
    e.wire.bytes[5] = 20'000'000;
    e.pass(1'001);
    CHECK(e.wire.shut_down == std::vector<int>{5});
  }
}

TEST_CASE("no session before hello, and a ping before it is answered with what is missing") {
  edge_fixture e;
  e.core.accepted(5, e.now);
  e.frame(5, "a", "a", messages::seal(messages::ping{1}, 1, 1));
  CHECK(e.host.hellos.empty());
  const auto answer = messages::open<messages::bye>(e.wire.sent.at(0).second);
  REQUIRE(answer);
  CHECK(answer->reason == messages::bye_reason::hello_first);
}

TEST_CASE("a notice goes to admitted devices only, and not at all when it has expired") {
  edge_fixture e;
  e.tell(messages::send_notice{{1, messages::notice_kind::update, 0, ""}, {64, 999, 128}});
  CHECK(e.host.notified == std::vector<std::int64_t>{64, 128});
  e.tell(messages::send_notice{{2, messages::notice_kind::update, e.now.wall, ""}, {64}});
  CHECK(e.host.notified.size() == 2);
}

TEST_CASE("a table takes effect when its last part is there, and cuts who is not in it") {
  admission a;
  CHECK(a.take(messages::admit_all{1, 0, 1, {{64, "a", key_a}, {128, "b", key_b}}}).empty());
  CHECK(a.ready());
  CHECK(a.take(messages::admit_all{2, 0, 2, {{64, "a", key_a}}}).empty());
  CHECK(a.by_id(128) != nullptr);
  CHECK(a.take(messages::admit_all{2, 1, 2, {}}) == std::vector<std::string>{"b"});
  CHECK(a.by_key(key_b) == nullptr);
  CHECK(a.take(messages::admit_all{3, 1, 2, {}}).empty());  // its first part is missing
  CHECK(a.by_id(64) != nullptr);
}

TEST_CASE("no device can be registered under another's key or uuid") {
  admission a;
  (void)a.take(messages::admit_all{1, 0, 1, {{64, "a", key_a}}});
  (void)a.take(
    messages::admit{{{128, "b", key_a}, {192, "a", key_b}, {256, "c", "short"}, {0, "d", key_b}}});
  CHECK(a.size() == 1);
  CHECK(a.by_key(key_a)->uuid == "a");
}

TEST_CASE("sessions of a dead edge lapse with its lease, those that came back do not") {
  session_leases l;
  l.joined(1, 100, 1'000);
  l.presence({1, {{64, 101, true, 0, ""}, {128, 102, true, 0, ""}}});
  l.beat(1, 2'000);
  CHECK(l.lapse(1'999).empty());
  l.joined(1, 200, 5'000);  // a new process: the old sessions keep the old deadline
  l.presence({1, {{64, 201, true, 0, ""}}});
  l.beat(1, 9'000);
  const auto lapsed = l.lapse(2'000);
  REQUIRE(lapsed.size() == 1);
  CHECK(lapsed[0].device == 128);
  CHECK(lapsed[0].epoch == 102);
  CHECK(l.lapse(8'999).empty());
  CHECK(l.lapse(9'000).size() == 1);
  CHECK(l.size() == 0);
}

TEST_CASE("sessions from before the core started have time to show up") {
  session_leases l;
  l.assume({{64, 1, 50}, {128, 1, 51}}, 1'000);
  CHECK(l.epoch_max() == 51);
  l.joined(1, 60, 5'000);
  l.presence({1, {{64, 61, true, 0, ""}, {128, 51, false, 0, ""}}});
  CHECK(l.lapse(1'000).empty());
  CHECK(l.size() == 1);
}

using messages::call_outcome;

TEST_CASE("a call goes to the device that is asked, and its answer to the core") {
  edge_fixture e;
  e.connect(5, "a");
  e.connect(6, "b");
  e.wire.sent.clear();
  e.ask(64, 7);
  REQUIRE(e.wire.sent.size() == 1);
  CHECK(e.wire.sent[0].first == "a");
  CHECK(e.wire.sent[0].second.type == message_type::call);
  e.answer(5, "a", {7, 200, "text/plain", "OK"});
  REQUIRE(e.results().size() == 1);
  CHECK(e.results()[0].device == 64);
  CHECK(e.results()[0].outcome == call_outcome::answered);
  CHECK(e.results()[0].answer == messages::call_answer{7, 200, "text/plain", "OK"});
  CHECK(e.core.counters().calls_answered == 1);
}

TEST_CASE("an answer counts only from the device that was asked, once, and in time") {
  edge_fixture e;
  e.connect(5, "a");
  e.connect(6, "b");
  e.ask(64, 7);
  e.answer(6, "b", {7, 200, "text/plain", "forged"});
  e.answer(5, "a", {8, 200, "text/plain", "nobody asked"});
  CHECK(e.results().empty());
  CHECK(e.core.counters().answers_unasked == 2);
  e.answer(5, "a", {7, 204, "", ""});
  e.answer(5, "a", {7, 200, "text/plain", "again"});
  REQUIRE(e.results().size() == 1);
  CHECK(e.results()[0].answer.status == 204);
  e.ask(64, 9);
  e.pass(50'000);
  REQUIRE(e.results().size() == 2);
  CHECK(e.results()[1].outcome == call_outcome::timed_out);
  e.answer(5, "a", {9, 200, "", ""});
  CHECK(e.results().size() == 2);
  CHECK(e.core.counters().answers_unasked == 4);
}

TEST_CASE("a call is never sent to a device without a session or to an agent that knows no calls") {
  edge_fixture e;
  e.ask(64, 7);
  e.core.accepted(5, e.now);
  e.hello(5, "b");
  e.wire.sent.clear();
  e.ask(128, 8);
  e.ask(999, 9);
  const auto r = e.results();
  REQUIRE(r.size() == 3);
  CHECK(r[0].outcome == call_outcome::not_connected);
  CHECK(r[1].outcome == call_outcome::unsupported);
  CHECK(r[1].answer.id == 8);
  CHECK(r[2].outcome == call_outcome::not_connected);
  CHECK(e.wire.sent.empty());
  CHECK(e.core.counters().calls_refused == 3);
}

TEST_CASE("a call whose connection ends is over and is not sent again") {
  edge_fixture e;
  e.connect(5, "a");
  e.ask(64, 7);
  e.core.closed(5, e.now);
  REQUIRE(e.results().size() == 1);
  CHECK(e.results()[0].outcome == call_outcome::gone);
  e.wire.sent.clear();
  e.connect(6, "a");
  CHECK(e.wire.sent.empty());
  e.answer(6, "a", {7, 200, "", ""});
  CHECK(e.results().size() == 1);
}

TEST_CASE("revoking a device ends its calls") {
  edge_fixture e;
  e.connect(5, "a");
  e.ask(64, 7);
  e.tell(messages::revoke{{64}});
  REQUIRE(e.results().size() == 1);
  CHECK(e.results()[0].outcome == call_outcome::gone);
}

TEST_CASE("one device has few calls in flight, and few a second") {
  edge_fixture e;
  e.connect(5, "a");
  for (std::uint64_t i = 1; i <= e.config.calls_per_device_max + 1; ++i) {
    e.ask(64, i);
  }
  REQUIRE(e.results().size() == 1);
  CHECK(e.results()[0].outcome == call_outcome::busy);
  for (std::uint64_t i = 1; i <= e.config.calls_per_device_max; ++i) {
    e.answer(5, "a", {i, 200, "", ""});
  }
  std::uint64_t next = 100;
  const auto busy = [&] {
    const auto refused_before = e.core.counters().calls_refused;
    e.ask(64, ++next);
    e.answer(5, "a", {next, 200, "", ""});
    return e.core.counters().calls_refused > refused_before;
  };
  std::uint32_t more = 0;
  while (!busy()) {
    ++more;
  }
  CHECK(e.config.calls_per_device_max + more == e.config.calls_per_second_max);
  e.pass(1'000);
  CHECK_FALSE(busy());
}

TEST_CASE("an answer that is too large or has no status is refused, and who goes on is cut off") {
  edge_fixture e;
  e.connect(5, "a");
  const std::string giant(messages::call_answer_body_bytes_max + 1, 'x');
  e.ask(64, 1);
  e.answer(5, "a", {1, 200, "text/plain", giant});
  e.ask(64, 2);
  e.answer(5, "a", {2, 0, "text/plain", ""});
  e.ask(64, 3);
  e.answer(5, "a", {3, 200, std::string(1'000, 't'), ""});
  const auto r = e.results();
  REQUIRE(r.size() == 3);
  for (const auto& x : r) {
    CHECK(x.outcome == call_outcome::broken);
    CHECK(x.answer.body.empty());
  }
  CHECK(e.core.counters().malformed == 3);
}
