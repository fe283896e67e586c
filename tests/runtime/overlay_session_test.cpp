#include "overlay_support.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace slipway;
using namespace slipway::tests;
using messages::notice_kind;

TEST_CASE("a device with a registered key gets a session and goes online") {
  const auto devices = given_devices(1);
  test_core core(devices);
  test_agent agent(core, devices[0]);
  REQUIRE(agent.wait_connected());
  REQUIRE(core.wait_online(devices[0].id, true));
  CHECK(agent.link().status().state == agent::link_state::connected);
  CHECK(agent.link().status().epoch == core.epoch(devices[0].id));
  agent.link().stop();
  CHECK(core.wait_online(devices[0].id, false));
}

TEST_CASE("a notice reaches the device and its acknowledgement reaches the core") {
  const auto devices = given_devices(2);
  test_core core(devices);
  test_agent first(core, devices[0]);
  test_agent second(core, devices[1]);
  REQUIRE(core.wait_online(devices[0].id, true));
  REQUIRE(core.wait_online(devices[1].id, true));
  REQUIRE(core.notify(devices[0].id, 7, notice_kind::update));
  REQUIRE(first.wait_notice(7));
  REQUIRE(core.wait_acked(devices[0].id, 7));
  CHECK(second.notices().empty());
}

TEST_CASE(
  "a notice for an absent device waits for it; an update does not, since the device fetches when "
  "it comes") {
  const auto devices = given_devices(1);
  test_core core(devices);
  (void)core.endpoint();
  REQUIRE(core.notify(devices[0].id, 1, notice_kind::update));
  REQUIRE(core.notify(devices[0].id, 2, notice_kind::reboot));
  test_agent agent(core, devices[0]);
  REQUIRE(agent.wait_notice(2));
  REQUIRE(core.wait_acked(devices[0].id, 2));
  CHECK(agent.notices() == std::vector<std::uint64_t>{2});
}

TEST_CASE("a notice that was not acknowledged comes again after a reconnect") {
  const auto devices = given_devices(1);
  test_core core(devices);
  {
    test_agent agent(core, devices[0], false);
    REQUIRE(core.wait_online(devices[0].id, true));
    REQUIRE(core.notify(devices[0].id, 3, notice_kind::restart));
    REQUIRE(agent.wait_notice(3));
  }
  test_agent again(core, devices[0]);
  REQUIRE(again.wait_notice(3));
  REQUIRE(core.wait_acked(devices[0].id, 3));
}

TEST_CASE("a device admitted later is let in, and revoking it cuts its session at once") {
  auto devices = given_devices(2);
  test_core core({devices[0]});
  test_agent agent(core, devices[1]);
  REQUIRE(agent.wait_reason("refuses this device's key"));
  REQUIRE(core.edge().admit({devices[1].admitted()}));
  REQUIRE(agent.wait_connected());
  REQUIRE(core.wait_online(devices[1].id, true));
  REQUIRE(core.edge().revoke({devices[1].id}));
  CHECK(core.wait_online(devices[1].id, false));
  CHECK(agent.wait_reason("revoked"));
}

TEST_CASE(
  "when the edge is killed another takes its place, every device comes back and presence heals") {
  const auto devices = given_devices(3);
  test_core core(devices);
  std::vector<std::unique_ptr<test_agent>> agents;
  for (const auto& d : devices) {
    agents.push_back(std::make_unique<test_agent>(core, d));
  }
  std::vector<std::uint64_t> before;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    REQUIRE(core.wait_online(devices[i].id, true));
    REQUIRE(
      agents[i]->wait_connected());  // the welcome may still be on its way when the core knows
    before.push_back(core.epoch(devices[i].id));
  }
  const auto first = core.edge().pid();
  REQUIRE(first > 0);
  REQUIRE(::kill(first, SIGKILL) == 0);
  REQUIRE(core.wait_joined(2));
  CHECK(core.edge().pid() != first);
  for (std::size_t i = 0; i < devices.size(); ++i) {
    REQUIRE(agents[i]->wait_connected_again(2));
  }
  for (std::size_t i = 0; i < devices.size(); ++i) {
    REQUIRE(core.notify(devices[i].id, 100 + i, notice_kind::update));
    REQUIRE(agents[i]->wait_notice(100 + i));
    REQUIRE(core.wait_online(devices[i].id, true));
    CHECK(core.epoch(devices[i].id) > before[i]);
  }
}

TEST_CASE(
  "devices that do not come back after their edge died go offline when its lease runs out") {
  const auto devices = given_devices(1);
  test_core core(devices);
  {
    test_agent agent(core, devices[0]);
    REQUIRE(core.wait_online(devices[0].id, true));
    REQUIRE(::kill(core.edge().pid(), SIGSTOP) == 0);
  }
  CHECK(core.wait_online(devices[0].id, false));
  REQUIRE(::kill(core.edge().pid(), SIGKILL) == 0);
}

TEST_CASE("the link says why it is not connected") {
  const auto devices = given_devices(1);
  test_core core(devices);
  const auto endpoint = core.endpoint();
  agent::link_options o;
  o.server_key = core.server_key();
  o.keys = devices[0].keys;
  o.uuid = devices[0].uuid;
  const auto reason_of = [](agent::link_options options, const std::string& part) {
    options.reconnect_ms_min = 20;
    options.reconnect_ms_max = 50;
    options.connect_timeout_ms = 3'000;
    agent::overlay_link link(options, {});
    REQUIRE(link.start());
    watched never;
    for (int i = 0; i < 1'000; ++i) {
      if (link.status().reason.find(part) != std::string::npos) {
        return true;
      }
      (void)never.wait([] { return false; }, std::chrono::milliseconds(10));
    }
    UNSCOPED_INFO(link.status().reason);
    return false;
  };
  SECTION("refused TCP") {
    o.endpoint = "tcp://127.0.0.1:1";
    CHECK(reason_of(o, "no TCP connection"));
  }
  SECTION("another server key") {
    o.endpoint = endpoint;
    o.server_key = runtime::make_curve_keys().public_key;
    CHECK(reason_of(o, "during the handshake"));
  }
  SECTION("a key that is not registered") {
    o.endpoint = endpoint;
    o.keys = runtime::make_curve_keys();
    CHECK(reason_of(o, "refuses this device's key"));
  }
}

namespace {

test_agent::call_handler says(const std::string& text) {
  return [text](const messages::call& c) {
    return messages::call_answer{c.id, 200, "text/plain", text + c.path};
  };
}

}  // namespace

using messages::call_outcome;

TEST_CASE("a call reaches the device, and its answer whoever asked") {
  const auto devices = given_devices(2);
  test_core core(devices);
  test_agent first(core, devices[0]);
  test_agent second(core, devices[1]);
  first.on_call(says("first "));
  second.on_call(says("second "));
  REQUIRE(core.wait_online(devices[0].id, true));
  REQUIRE(core.wait_online(devices[1].id, true));
  const auto a = core.call(devices[0].id, "/v1/restart");
  CHECK(a.outcome == call_outcome::answered);
  CHECK(a.answer.status == 200);
  CHECK(a.answer.body == "first /v1/restart");
  CHECK(core.call(devices[1].id, "/ping").answer.body == "second /ping");
  CHECK(first.calls() == std::vector<std::string>{"/v1/restart"});
}

TEST_CASE("a call to a device that is not connected says so at once") {
  const auto devices = given_devices(1);
  test_core core(devices);
  (void)core.endpoint();
  CHECK(core.call(devices[0].id, "/ping").outcome == call_outcome::not_connected);
  CHECK(core.call(4711, "/ping").outcome == call_outcome::not_connected);
}

TEST_CASE("a call to a silent device ends at its deadline") {
  const auto devices = given_devices(1);
  test_core core(devices);
  test_agent agent(core, devices[0]);
  REQUIRE(core.wait_online(devices[0].id, true));
  CHECK(core.call(devices[0].id, "/ping", 300).outcome == call_outcome::timed_out);
  CHECK(agent.calls().size() == 1);
}

TEST_CASE("a call is never sent again: neither after a reconnect nor by another edge") {
  const auto devices = given_devices(1);
  test_core core(devices);
  test_agent agent(core, devices[0]);
  REQUIRE(core.wait_online(devices[0].id, true));
  const auto waits = std::make_shared<watched>();
  const auto got = std::make_shared<std::optional<messages::call_result>>();
  core.edge().call(
    devices[0].id,
    {0, "POST", "/v1/reboot", "", 60'000},
    [waits, got](messages::call_result r) { waits->change([&] { *got = std::move(r); }); });
  REQUIRE(agent.wait_calls(1));
  REQUIRE(::kill(core.edge().pid(), SIGKILL) == 0);
  REQUIRE(waits->wait([&] { return got->has_value(); }));
  CHECK((*got)->outcome == call_outcome::gone);
  REQUIRE(agent.wait_connected_again(2));
  agent.on_call(says(""));
  REQUIRE(core.wait_joined(2));
  CHECK(core.call(devices[0].id, "/ping").outcome == call_outcome::answered);
  CHECK(agent.calls() == std::vector<std::string>{"/v1/reboot", "/ping"});
}

TEST_CASE("an answer of the largest size arrives") {
  const auto devices = given_devices(1);
  test_core core(devices);
  test_agent agent(core, devices[0]);
  agent.on_call([](const messages::call& c) {
    return messages::call_answer{
      c.id,
      200,
      "text/plain",
      std::string(messages::call_answer_body_bytes_max, 'x')};
  });
  REQUIRE(core.wait_online(devices[0].id, true));
  const auto r = core.call(devices[0].id, "/v2/journal-logs");
  CHECK(r.outcome == call_outcome::answered);
  CHECK(r.answer.body.size() == messages::call_answer_body_bytes_max);
}
