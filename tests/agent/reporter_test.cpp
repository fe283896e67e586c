#include "agent/reporter.hpp"

#include "tests/support/actor_world.hpp"
#include "tests/support/agent_fakes.hpp"
#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::agent;
using namespace slipway::tests;
using namespace std::chrono_literals;
using json = nlohmann::json;

namespace {

struct fixture {
  actor_world world;
  memory_files files;
  state_store store{files};
  fake_http http;
  platform_api api{http, "http://platform"};
  fake_host host;
  caf::actor actor;

  fixture() {
    http.answer = [](const auto&) { return fake_http::reply(200); };
  }
  ~fixture() { caf::anon_send_exit(actor, caf::exit_reason::kill); }
  void boot() {
    if (actor) {
      caf::anon_send_exit(actor, caf::exit_reason::kill);
      world.run();
    }
    actor = world.system().spawn(
      reporter,
      &api,
      &store,
      reporter_settings{device_uuid, "device-key"},
      reporter_links{&host, [this] { return world.now(); }});
    world.advance(2s);
  }
  void say(const json& apps) {
    caf::anon_send(actor, state_changed{std::make_shared<const std::string>(apps.dump())});
    world.run();
  }
  json sent(std::size_t i) const { return json::parse(http.asked.at(i).body)[device_uuid]; }
};

}  // namespace

TEST_CASE("the first report tells what the device is, and no apps before they were looked at") {
  fixture f;
  f.boot();
  REQUIRE(f.http.asked.size() == 1);
  CHECK(f.http.asked[0].method == "PATCH");
  CHECK(f.http.asked[0].url == "http://platform/device/v3/state");
  const auto r = f.sent(0);
  CHECK(r["os_version"] == "Debian 12");
  CHECK(r["supervisor_version"] == "17.0.0");
  CHECK(r["ip_address"] == "10.0.0.2");
  CHECK(r["api_port"] == 48484);
  CHECK_FALSE(r.contains("apps"));
}

TEST_CASE("reports are differences to the last one that was accepted") {
  fixture f;
  f.boot();
  f.say({{"a", 1}});
  f.world.advance(2s);
  CHECK(f.sent(1) == json({{"apps", {{"a", 1}}}}));
  f.say({{"a", 1}});
  f.world.advance(10s);
  CHECK(f.http.asked.size() == 2);
}

TEST_CASE("a restart repeats nothing") {
  fixture f;
  f.boot();
  f.say({{"a", 1}});
  f.world.advance(2s);
  f.boot();
  f.say({{"a", 1}});
  f.world.advance(10s);
  CHECK(f.http.asked.size() == 2);
}

TEST_CASE("a burst of changes is one report, the newest") {
  fixture f;
  f.boot();
  for (int i = 0; i < 20; ++i) {
    f.say({{"a", i}});
  }
  f.world.advance(3s);
  CHECK(f.http.asked.size() <= 3);
  CHECK(f.sent(f.http.asked.size() - 1)["apps"]["a"] == 19);
}

TEST_CASE("failures are retried ever more slowly and then told as one difference") {
  fixture f;
  f.boot();
  f.http.answer = [](const auto&) { return fake_http::down(); };
  for (int i = 0; i < 120; ++i) {
    f.say({{"a", i}});
    f.world.advance(1s);
  }
  CHECK(f.http.asked.size() <= 6);
  f.http.answer = [](const auto&) { return fake_http::reply(200); };
  f.world.advance(130s);
  CHECK(f.sent(f.http.asked.size() - 1)["apps"]["a"] == 119);
}

TEST_CASE("a refusal makes the next report whole") {
  fixture f;
  f.boot();
  f.http.answer = [](const auto&) { return fake_http::reply(401); };
  f.say({{"a", 1}});
  f.world.advance(2s);
  f.http.answer = [](const auto&) { return fake_http::reply(200); };
  f.world.advance(20s);
  CHECK(f.sent(f.http.asked.size() - 1).contains("os_version"));
  CHECK(f.sent(f.http.asked.size() - 1).contains("apps"));
}

TEST_CASE("Retry-After counts in seconds for reports too") {
  fixture f;
  f.boot();
  f.http.answer = [](const auto&) {
    auto r = fake_http::reply(429);
    r.headers.emplace_back("retry-after", "60");
    return r;
  };
  f.say({{"a", 1}});
  f.world.advance(55s);
  CHECK(f.http.asked.size() == 2);
  f.world.advance(10s);
  CHECK(f.http.asked.size() == 3);
}

TEST_CASE("metrics alone are worth a report only now and then, and noise is no change") {
  fixture f;
  f.host.metrics_now.memory_used_mb = 100;
  f.boot();
  f.host.metrics_now.memory_used_mb = 101;
  f.world.advance(301s);
  CHECK(f.http.asked.size() == 1);
  f.host.metrics_now.memory_used_mb = 200;
  f.world.advance(100s);
  CHECK(f.http.asked.size() == 1);
  f.world.advance(301s);
  CHECK(f.http.asked.size() == 2);
  CHECK(f.sent(1) == json({{"memory_usage", 200}}));
}
