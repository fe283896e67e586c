#include "agent/poller.hpp"

#include "tests/support/actor_world.hpp"
#include "tests/support/agent_fakes.hpp"
#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::agent;
using namespace slipway::tests;
using namespace std::chrono_literals;

namespace {

struct heard {
  int targets = 0;
  int confirmed = 0;
  std::string commit;
  std::string status;
};

caf::behavior listener(caf::event_based_actor*, heard* h) {
  return {
    [h](const target_arrived& m) {
      ++h->targets;
      h->commit = m.target->apps.begin()->second.release->commit;
    },
    [h](const target_confirmed&) { ++h->confirmed; },
    [h](const status_changed& m) { h->status = m.status; },
  };
}

struct fixture {
  actor_world world;
  memory_files files;
  state_store store{files};
  fake_http http;
  platform_api api{http, "http://platform"};
  heard ears;
  std::vector<std::uint64_t> acknowledged;
  caf::actor ear = world.system().spawn(listener, &ears);
  caf::actor actor;

  fixture() { give("c1", "\"e1\""); }
  ~fixture() {
    caf::anon_send_exit(actor, caf::exit_reason::kill);
    caf::anon_send_exit(ear, caf::exit_reason::kill);
  }

  static std::string body(const std::string& commit) {
    return target_json(commit, release_json(1, {{"web", service_json(1, 'a')}})).dump();
  }
  void give(const std::string& commit, const std::string& etag) {
    http.answer = [=](const runtime::http_request& r) -> messages::result<runtime::http_reply> {
      if (header_of(r, "If-None-Match") == etag) {
        return fake_http::reply(304);
      }
      return fake_http::reply(200, body(commit), etag);
    };
  }
  void start(milliseconds interval = 600s) {
    actor = world.system().spawn(
      poller,
      &api,
      &store,
      poller_settings{device_uuid, "device-key", interval, false},
      poller_links{
        ear,
        ear,
        [this](std::uint64_t id) { acknowledged.push_back(id); },
        [](std::uint64_t) { return std::uint64_t{0}; }});
    world.run();
  }
  std::size_t polls() const { return http.asked.size(); }
};

}  // namespace

TEST_CASE(
  "the first poll comes at once, with the device's key, and the target is on disk before it is "
  "passed on") {
  fixture f;
  f.start();
  REQUIRE(f.polls() == 1);
  CHECK(f.http.asked[0].url == "http://platform/device/v3/" + device_uuid + "/state");
  CHECK(header_of(f.http.asked[0], "Authorization") == "Bearer device-key");
  CHECK(header_of(f.http.asked[0], "If-None-Match").empty());
  CHECK(f.ears.commit == "c1");
  CHECK(f.store.load_target().etag == "\"e1\"");
}

TEST_CASE("after a restart the stored etag saves the body") {
  fixture f;
  REQUIRE(f.store.save_target({"\"e1\"", nlohmann::json::parse(fixture::body("c1"))}));
  f.start();
  CHECK(header_of(f.http.asked[0], "If-None-Match") == "\"e1\"");
  CHECK(f.ears.targets == 0);
  CHECK(f.ears.confirmed == 1);
}

TEST_CASE("an etag without a good target of ours is not believed") {
  fixture f;
  SECTION("another device's target") {
    REQUIRE(f.store.save_target({"\"e1\"", {{"ffff", {{"apps", nlohmann::json::object()}}}}}));
  }
  SECTION("a damaged file") {
    f.files.content["target.json"] = R"({"etag":"\"e1\"","bo)";
  }
  f.start();
  CHECK(header_of(f.http.asked[0], "If-None-Match").empty());
  CHECK(f.ears.targets == 1);
}

TEST_CASE("polls come each interval, the jitter within its bound") {
  fixture f;
  f.start(600s);
  f.world.advance(599s);
  CHECK(f.polls() == 1);
  f.world.advance(2s);
  CHECK(f.polls() == 2);
  CHECK(f.ears.targets == 1);
  CHECK(f.ears.confirmed == 1);
}

TEST_CASE("a 304 that nobody asked for is a failure, not a target") {
  fixture f;
  f.http.answer = [](const auto&) { return fake_http::reply(304); };
  f.start();
  CHECK(f.ears.targets == 0);
  CHECK(f.ears.confirmed == 0);
  f.world.advance(16s);
  CHECK(f.polls() == 2);
}

TEST_CASE("failures are retried after 15 s, doubling up to the interval") {
  fixture f;
  f.http.answer = [](const auto&) { return fake_http::down(); };
  f.start(100s);
  std::vector<std::size_t> counts;
  for (const auto pause : {14s, 2s, 28s, 3s, 57s, 3s, 97s, 3s, 97s, 3s}) {
    f.world.advance(pause);
    counts.push_back(f.polls());
  }
  CHECK(counts == std::vector<std::size_t>{1, 2, 2, 3, 3, 4, 4, 5, 5, 6});
}

TEST_CASE("the platform may say when to come back, in seconds") {
  fixture f;
  f.http.answer = [](const auto&) {
    auto r = fake_http::reply(503);
    r.headers.emplace_back("retry-after", "120");
    return r;
  };
  f.start();
  f.world.advance(119s);
  CHECK(f.polls() == 1);
  f.world.advance(2s);
  CHECK(f.polls() == 2);
}

TEST_CASE("a target that is not valid is refused as a whole and people are told") {
  fixture f;
  f.start();
  auto bad = nlohmann::json::parse(fixture::body("c2"));
  bad[device_uuid]["apps"][app_uuid]["releases"]["c2"]["services"]["web"].erase("image");
  f.http.answer = [&](const auto&) { return fake_http::reply(200, bad.dump(), "\"e2\""); };
  caf::anon_send(f.actor, poll_now{});
  f.world.run();
  CHECK(f.ears.targets == 1);
  CHECK(f.ears.status == "Invalid target state");
  CHECK(f.store.load_target().etag == "\"e1\"");
  f.give("c3", "\"e3\"");
  f.world.advance(20s);
  CHECK(f.ears.commit == "c3");
  CHECK(f.ears.status == "Idle");
}

TEST_CASE("an answer about another device is an error, not an empty target") {
  fixture f;
  f.http.answer = [](const auto&) { return fake_http::reply(200, R"({"ffff":{"apps":{}}})"); };
  f.start();
  CHECK(f.ears.targets == 0);
}

TEST_CASE("a notice polls at once and is acknowledged when the platform has answered") {
  fixture f;
  f.start();
  f.give("c2", "\"e2\"");
  caf::anon_send(f.actor, poll_now{7});
  f.world.run();
  CHECK(f.ears.commit == "c2");
  CHECK(f.acknowledged == std::vector<std::uint64_t>{7});
}

TEST_CASE("a notice whose poll fails is acknowledged after the poll that works") {
  fixture f;
  f.start();
  f.http.answer = [](const auto&) { return fake_http::down(); };
  caf::anon_send(f.actor, poll_now{7});
  f.world.run();
  CHECK(f.acknowledged.empty());
  f.give("c2", "\"e2\"");
  f.world.advance(20s);
  CHECK(f.acknowledged == std::vector<std::uint64_t>{7});
}

TEST_CASE("a burst of notices costs one poll") {
  fixture f;
  f.start();
  for (std::uint64_t id = 1; id <= 50; ++id) {
    caf::anon_send(f.actor, poll_now{id});
  }
  f.world.run();
  CHECK(f.polls() == 2);
  CHECK(f.acknowledged.size() == 50);
}

TEST_CASE("a notice does not leave the old timer behind") {
  fixture f;
  f.start(600s);
  f.world.advance(300s);
  caf::anon_send(f.actor, poll_now{1});
  f.world.advance(301s);
  CHECK(f.polls() == 2);
  f.world.advance(300s);
  CHECK(f.polls() == 3);
}

TEST_CASE("the platform's variable sets the interval") {
  fixture f;
  auto body = nlohmann::json::parse(fixture::body("c1"));
  body[device_uuid]["config"]["RESIN_SUPERVISOR_POLL_INTERVAL"] = "60000";
  f.http.answer = [&](const auto&) { return fake_http::reply(200, body.dump()); };
  f.start(600s);
  f.world.advance(61s);
  CHECK(f.polls() == 2);
}

TEST_CASE("a target that cannot be stored is carried out all the same, and asked for again") {
  fixture f;
  f.files.full = true;
  f.start();
  CHECK(f.ears.commit == "c1");
  caf::anon_send(f.actor, poll_now{});
  f.world.run();
  CHECK(header_of(f.http.asked.back(), "If-None-Match").empty());
}
