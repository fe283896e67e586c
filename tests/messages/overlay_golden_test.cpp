#include "messages/edge_bus.hpp"
#include "messages/overlay.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace slipway::messages;

namespace {

constexpr std::int64_t sent_at = 1'795'428'832'331;
const std::string uuid = "0123456789abcdef0123456789abcdef";
const std::string key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

/// `tests/golden/<name>.msgpack` must be what the message encodes to, and must decode to it. Files of past versions are
/// never changed. SLIPWAY_WRITE_GOLDEN=1 writes those that are not there.
template <class T>
void expect_golden(const std::string& name, const T& x) {
  INFO(name);
  const auto file = std::filesystem::path(SLIPWAY_GOLDEN_DIR) / (name + ".msgpack");
  const auto bytes = seal(x, 7, sent_at);
  if (!std::filesystem::exists(file) && std::getenv("SLIPWAY_WRITE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << bytes;
  }
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  const std::string golden{std::istreambuf_iterator<char>(in), {}};
  CHECK(bytes == golden);
  const auto e = unpack<envelope>(golden);
  REQUIRE(e);
  CHECK(e->type == T::type);
  CHECK(e->id == 7);
  CHECK(e->time == sent_at);
  CHECK(open<T>(*e) == x);
}

/// An earlier version, which is not written any more but must still be read.
template <class T>
void expect_reads(const std::string& name, const T& x) {
  INFO(name);
  std::ifstream in(
    std::filesystem::path(SLIPWAY_GOLDEN_DIR) / (name + ".msgpack"),
    std::ios::binary);
  REQUIRE(in);
  const auto e = unpack<envelope>(std::string{std::istreambuf_iterator<char>(in), {}});
  REQUIRE(e);
  CHECK(open<T>(*e) == x);
}

}  // namespace

TEST_CASE("frames between device and edge are encoded as they always were") {
  expect_golden("overlay_hello_v2", hello{uuid, "0.1.0", 41, 60'000, capability::calls});
  expect_reads("overlay_hello_v1", hello{uuid, "0.1.0", 41, 60'000, 0});
  expect_golden("overlay_ping_v1", ping{3});
  expect_golden("overlay_notice_ack_v1", notice_ack{{42, 43}});
  expect_golden("overlay_welcome_v1", welcome{1'795'428'832'331'000, sent_at, 60'000});
  expect_golden("overlay_pong_v1", pong{3, sent_at});
  expect_golden("overlay_notice_v1", notice{42, notice_kind::update, sent_at + 600'000, "{}"});
  expect_golden("overlay_bye_v1", bye{bye_reason::draining, "the edge stops"});
  expect_golden(
    "overlay_call_v1",
    slipway::messages::call{77, "POST", "/v1/restart", R"({"appId":7})", 50'000});
  expect_golden("overlay_call_answer_v1", call_answer{77, 200, "text/plain; charset=utf-8", "OK"});
}

TEST_CASE("messages between core and edge are encoded as they always were") {
  const admitted_device d{129, uuid, key};
  expect_golden("bus_admit_all_v1", admit_all{1, 0, 1, {d}});
  expect_golden("bus_admit_v1", admit{{d}});
  expect_golden("bus_revoke_v1", slipway::messages::revoke{{129}});
  expect_golden(
    "bus_send_notice_v1",
    send_notice{{42, notice_kind::update, sent_at + 600'000, "{}"}, {129, 193}});
  expect_golden("bus_cancel_notice_v1", cancel_notice{42, {129}});
  expect_golden(
    "bus_edge_joined_v1",
    edge_joined{1, 1'795'428'832'331'000, "tcp://127.0.0.1:8090", 0});
  expect_golden(
    "bus_presence_batch_v1",
    presence_batch{1, {{129, 1'795'428'832'331'001, true, sent_at, "10.0.0.7"}}});
  edge_counters n;
  n.sessions = 1;
  n.frames = 2;
  expect_reads("bus_edge_beat_v1", edge_beat{1, 20'000, n});
  n.calls = 3;
  expect_golden("bus_edge_beat_v2", edge_beat{1, 20'000, n});
  expect_golden("bus_send_call_v1", send_call{129, {77, "GET", "/v1/device", "", 50'000}});
  expect_golden(
    "bus_call_result_v1",
    call_result{129, call_outcome::answered, {77, 200, "text/plain; charset=utf-8", "OK"}});
  expect_golden("bus_notices_acked_v1", notices_acked{{{129, 42, sent_at}}});
  expect_golden(
    "bus_edge_alarm_v1",
    edge_alarm{alarm_kind::foreign_identity, uuid, "006b8b4567", "10.0.0.7"});
}

TEST_CASE("several messages in one frame come out in order, and not more than allowed") {
  const auto frame = seal(ping{1}, 1, 0) + seal(ping{2}, 2, 0) + seal(pong{2, 9}, 3, 0);
  const auto all = unpack_envelopes(frame, 3);
  REQUIRE(all);
  REQUIRE(all->size() == 3);
  CHECK(all->at(2).type == message_type::pong);
  CHECK(unpack_envelopes(frame, 2).error().code == errc::too_large);
  CHECK(unpack_envelopes(frame.substr(0, frame.size() - 1), 3).error().code == errc::corrupt);
}

TEST_CASE("a message opens only as what it is") {
  const auto e = unpack<envelope>(seal(ping{1}, 1, 0));
  REQUIRE(e);
  CHECK(open<pong>(*e).error().code == errc::unsupported);
  auto broken = *e;
  broken.payload = {'\xc1'};
  CHECK(open<ping>(broken).error().code == errc::corrupt);
}
