#include "agent/supervisor.hpp"

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

class fake_overlay : public overlay_port {
public:
  fake_overlay(
    std::vector<std::uint64_t>& acks,
    std::vector<messages::call_answer>& answers,
    link_callbacks c,
    link_callbacks*& out)
    : acks_(acks), answers_(answers), callbacks_(std::move(c)) {
    out = &callbacks_;
  }
  messages::result<void> start() override { return {}; }
  void ack(std::uint64_t id) override { acks_.push_back(id); }
  void answer(std::uint64_t, messages::call_answer a) override { answers_.push_back(std::move(a)); }

private:
  std::vector<std::uint64_t>& acks_;
  std::vector<messages::call_answer>& answers_;
  link_callbacks callbacks_;
};

/// The whole agent on fakes: one device, its engine, its platform.
struct fixture {
  actor_world world;
  memory_files files;
  state_store store{files};
  fake_http http;
  platform_api api{http, "http://platform"};
  fake_engine engine;
  fake_host host;
  std::optional<device_config> config;
  std::optional<provisioning> work;
  std::vector<std::uint64_t> acks;
  std::vector<messages::call_answer> answers;
  fake_locks locks;
  fake_control control;
  link_callbacks* overlay = nullptr;
  json target = target_json("c1", release_json(1, {{"web", service_json(1, 'a')}}));
  bool platform_down = false;
  caf::actor actor;

  explicit fixture(bool is_registered = true) {
    json c = {{"apiEndpoint", "http://platform"}, {"uuid", device_uuid}, {"deviceApiKey", "k"}};
    if (is_registered) {
      c["registered_at"] = 1;
      c["deviceId"] = 15;
    } else {
      c["apiKey"] = "fleet-key";
    }
    files.content["config.json"] = c.dump();
    config.emplace(*device_config::load(files, "config.json"));
    work.emplace(
      *config,
      api,
      store,
      [](const std::string&) {
        return runtime::curve_keys{"p", "s"};
      },
      host_facts{});
    http.answer = [this](const runtime::http_request& r) -> messages::result<runtime::http_reply> {
      if (platform_down) {
        return fake_http::down();
      }
      if (r.url == "http://platform/device/register") {
        return fake_http::reply(201, R"({"id":15})");
      }
      return fake_http::reply(200, r.method == "GET" ? target.dump() : "");
    };
  }
  ~fixture() {
    stop();
    world.advance(1s);
  }
  void stop() {
    if (actor) {
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
      actor = nullptr;
      world.run();
    }
  }
  void boot() {
    agent_world w;
    w.config = &*config;
    w.work = &*work;
    w.store = &store;
    w.host = &host;
    w.engine = w.fetch_engine = &engine;
    w.poll_api = w.report_api = w.local_api = &api;
    w.locks = &locks;
    w.control = &control;
    w.new_secret = [] { return std::string("secret"); };
    w.identity_known = [](const registered&) {};
    w.cancel_calls = [] {};
    w.overlay = [this](const std::string&, link_callbacks c) {
      return std::make_unique<fake_overlay>(acks, answers, std::move(c), overlay);
    };
    w.now = [this] { return world.now(); };
    w.random = [](std::uint64_t) { return std::uint64_t{0}; };
    w.detach = false;
    agent_settings s;
    s.device = a_device();
    actor = world.system().spawn(supervisor, std::move(w), std::move(s));
    world.run();
  }
  /// A request through the overlay; its answer once the actors are at rest.
  messages::call_answer
  call(const std::string& method, const std::string& path, const std::string& body = "") {
    static std::uint64_t number = 0;
    const auto before = answers.size();
    overlay->on_call(7, {++number, method, path, body, 50'000});
    world.run();
    for (int i = 0; i < 100 && answers.size() == before; ++i) {
      world.advance(100ms);
    }
    REQUIRE(answers.size() == before + 1);
    CHECK(answers.back().id == number);
    return answers.back();
  }
  bool runs() {
    const auto* c = engine.model.service("web");
    return c != nullptr && c->status == domain::container_status::running;
  }
};

}  // namespace

TEST_CASE("a new device registers, gets its target, runs and reports it") {
  fixture f(false);
  f.boot();
  f.world.advance(5s);
  CHECK(f.runs());
  CHECK(f.config->is_provisioned());
  CHECK(f.config->provisioning_key().empty());
  CHECK(f.http.asked.back().body.find("\"release_uuid\":\"c1\"") != std::string::npos);
}

TEST_CASE("registration is tried for ever") {
  fixture f(false);
  f.platform_down = true;
  f.boot();
  f.world.advance(300s);
  CHECK(f.http.asked.size() > 8);
  CHECK(f.http.asked.size() < 30);
  f.platform_down = false;
  f.world.advance(40s);
  CHECK(f.runs());
}

TEST_CASE("a notice over the overlay leads to a poll at once, and is acknowledged after it") {
  fixture f;
  f.boot();
  f.world.advance(5s);
  REQUIRE(f.overlay != nullptr);
  f.target = target_json("c2", release_json(2, {{"web", service_json(2, 'b')}}));
  messages::notice n;
  n.id = 41;
  n.kind = messages::notice_kind::update;
  f.overlay->on_notice(n);
  f.world.run();
  CHECK(f.acks == std::vector<std::uint64_t>{41});
  f.world.advance(5s);
  CHECK(f.engine.model.service("web")->name.find("_c2_") != std::string::npos);
}

TEST_CASE("a notice of a kind that is not supported is not acknowledged") {
  fixture f;
  f.boot();
  f.world.advance(1s);
  messages::notice n;
  n.id = 42;
  n.kind = messages::notice_kind::reboot;
  f.overlay->on_notice(n);
  f.world.advance(1s);
  CHECK(f.acks.empty());
}

TEST_CASE("each connection of the overlay polls, since a notice may have been lost") {
  fixture f;
  f.boot();
  f.world.advance(5s);
  const auto before = f.http.asked.size();
  f.overlay->on_connected({});
  f.world.run();
  CHECK(f.http.asked.size() == before + 1);
}

TEST_CASE("an actor that fails costs a pause, and no container") {
  fixture f;
  f.boot();
  f.world.advance(5s);
  REQUIRE(f.runs());
  f.engine.model.log.clear();
  f.engine.throws = true;
  f.world.advance(40s);  // the patrol finds it
  f.world.advance(60s);
  CHECK(f.engine.model.log.empty());
  f.target = target_json("c2", release_json(2, {{"web", service_json(2, 'b')}}));
  f.overlay->on_connected({});
  f.world.advance(5s);
  CHECK(f.engine.model.service("web")->name.find("_c2_") != std::string::npos);
}

TEST_CASE("a stop ends all actors and leaves the containers") {
  fixture f;
  f.boot();
  f.world.advance(5s);
  f.engine.model.log.clear();
  const auto asked = f.http.asked.size();
  f.stop();
  f.world.advance(3600s);
  CHECK(f.http.asked.size() == asked);
  CHECK(f.engine.model.log.empty());
  CHECK(f.runs());
}

namespace {

/// A device whose service runs and whose overlay is up.
struct running_fixture : fixture {
  running_fixture() {
    boot();
    world.advance(5s);
    REQUIRE(runs());
    REQUIRE(overlay != nullptr);
  }
  std::string id() { return engine.model.service("web")->id; }
};

}  // namespace

TEST_CASE("a stop while the device registers starts nothing more and ends") {
  fixture f(false);
  const auto answer = f.http.answer;
  f.http.answer = [&](const runtime::http_request& r) {
    caf::anon_send_exit(f.actor, caf::exit_reason::user_shutdown);
    return answer(r);
  };
  f.boot();
  f.world.advance(1s);
  CHECK(f.overlay == nullptr);
  CHECK_FALSE(f.runs());
  const auto asked = f.http.asked.size();
  f.world.advance(3600s);
  CHECK(f.http.asked.size() == asked);
}

TEST_CASE("what only shows the device is answered at once") {
  running_fixture f;
  CHECK(f.call("GET", "/ping").body == "OK");
  const auto device = f.call("GET", "/v1/device");
  CHECK(device.status == 200);
  CHECK(json::parse(device.body)["commit"] == "c1");
  CHECK(json::parse(device.body)["update_pending"] == false);
  const auto state = json::parse(f.call("GET", "/v2/state/status").body);
  CHECK(state["appState"] == "applied");
  CHECK(state["containers"][0]["containerId"] == f.id());
  CHECK(f.call("GET", "/v1/nonsense").status == 404);
}

TEST_CASE("a restart makes a new container and answers when it runs") {
  running_fixture f;
  const auto before = f.id();
  const auto a = f.call("POST", "/v1/restart", R"({"appId":12})");
  CHECK(a.status == 200);
  CHECK(a.body == "OK");
  CHECK(f.runs());
  CHECK(f.id() != before);
  CHECK(f.locks.taken.empty());
}

TEST_CASE("a stopped service stays stopped until it is started, restarted or replaced") {
  running_fixture f;
  const auto before = f.id();
  CHECK(f.call("POST", "/v2/applications/12/stop-service", R"({"imageId":1})").status == 200);
  CHECK_FALSE(f.runs());
  f.world.advance(120s);
  CHECK_FALSE(f.runs());
  SECTION("started") {
    CHECK(f.call("POST", "/v2/applications/12/start-service", R"({"imageId":"1"})").status == 200);
    CHECK(f.runs());
    CHECK(f.id() == before);
  }
  SECTION("restarted") {
    CHECK(
      f.call("POST", "/v2/applications/12/restart-service", R"({"serviceName":"web"})").status
      == 200);
    CHECK(f.runs());
  }
  SECTION("replaced by a release") {
    f.target = target_json("c2", release_json(2, {{"web", service_json(1, 'b')}}));
    CHECK(f.call("POST", "/v1/update").status == 204);
    f.world.advance(10s);
    CHECK(f.runs());
  }
  SECTION("not by a restart of the agent") {
    f.stop();
    f.boot();
    f.world.advance(60s);
    CHECK_FALSE(f.runs());
  }
}

TEST_CASE("an update lock refuses actions with 423, unless they are forced") {
  running_fixture f;
  f.locks.held_by_services = {"web"};
  const auto before = f.id();
  for (const auto* path :
       {"/v1/restart", "/v1/purge", "/v1/reboot", "/v2/applications/12/stop-service"}) {
    INFO(path);
    const auto a = f.call("POST", path, R"({"appId":12,"serviceName":"web"})");
    CHECK(a.status == 423);
    CHECK(a.body.find("locked") != std::string::npos);
  }
  CHECK(f.id() == before);
  CHECK(f.runs());
  CHECK(f.control.done.empty());
  CHECK(f.call("POST", "/v1/restart", R"({"appId":12,"force":true})").status == 200);
  CHECK(f.id() != before);
}

TEST_CASE(
  "an update lock holds back an update, until it is gone, overridden or the update is forced") {
  running_fixture f;
  f.locks.held_by_services = {"web"};
  const auto before = f.id();
  const auto give = [&](const char* override_lock) {
    f.target = target_json("c2", release_json(2, {{"web", service_json(1, 'b')}}));
    if (override_lock != nullptr) {
      f.target[device_uuid]["config"]["RESIN_OVERRIDE_LOCK"] = override_lock;
    }
    f.overlay->on_notice({1, messages::notice_kind::update, 0, ""});
    f.world.advance(20s);
  };
  SECTION("gone") {
    give(nullptr);
    CHECK(f.id() == before);
    CHECK(f.engine.model.state.images.size() == 2);  // downloads go on
    f.locks.held_by_services.clear();
    f.world.advance(60s);
  }
  SECTION("overridden") {
    give("1");
  }
  SECTION("forced") {
    give(nullptr);
    CHECK(f.call("POST", "/v1/update", R"({"force":true})").status == 204);
    f.world.advance(60s);
  }
  CHECK(f.id() != before);
  CHECK(f.runs());
  CHECK(f.locks.taken.empty());
}

TEST_CASE("a device reboots and shuts down by its host's command only") {
  running_fixture f;
  SECTION("none is configured") {
    f.control.refuses = true;
    const auto a = f.call("POST", "/v1/reboot", R"({"force":false})");
    CHECK(a.status == 500);
    CHECK(json::parse(a.body)["Error"] == "not configured");
    CHECK(f.locks.taken.empty());
    CHECK(f.call("POST", "/v1/restart", R"({"appId":12})").status == 200);
  }
  SECTION("it is told, and nothing is begun meanwhile") {
    const auto a = f.call("POST", "/v1/shutdown");
    CHECK(a.status == 202);
    CHECK(json::parse(a.body) == json{{"Data", "OK"}, {"Error", nullptr}});
    CHECK(f.control.done == std::vector<std::string>{"shutdown"});
    CHECK(f.call("POST", "/v1/restart", R"({"appId":12})").status == 503);
    f.world.advance(70s);  // it did not go down
    CHECK(f.call("POST", "/v1/restart", R"({"appId":12})").status == 200);
  }
}

TEST_CASE("a device blinks for a while, and once") {
  running_fixture f;
  CHECK(f.call("POST", "/v1/blink").body == "OK");
  CHECK(f.call("POST", "/v1/blink").body == "OK");
  f.world.advance(30s);
  CHECK(f.control.done.size() == 31);
  CHECK(f.control.done.back() == "off");
}

TEST_CASE("more requests than it can hold are refused, and none is lost") {
  running_fixture f;
  const auto before = f.answers.size();
  for (std::uint64_t i = 0; i < 40; ++i) {
    f.overlay->on_call(7, {1'000 + i, "POST", "/v1/restart", R"({"appId":12})", 50'000});
  }
  f.world.advance(60s);
  REQUIRE(f.answers.size() == before + 40);
  int done = 0;
  for (std::size_t i = before; i < f.answers.size(); ++i) {
    done += f.answers[i].status == 200 ? 1 : 0;
    CHECK((f.answers[i].status == 200 || f.answers[i].status == 503));
  }
  CHECK(done >= 1);
  CHECK(done <= 8);
  CHECK(f.runs());
}

TEST_CASE("an action that cannot begin in its time is not begun") {
  running_fixture f;
  const auto before = f.id();
  f.engine.down = true;
  const auto answers = f.answers.size();
  f.overlay->on_call(7, {5'000, "POST", "/v1/restart", R"({"appId":12})", 2'000});
  f.world.advance(10s);
  f.engine.down = false;
  f.world.advance(60s);
  REQUIRE(f.answers.size() == answers + 1);
  CHECK(f.answers.back().status == 500);
  CHECK(f.id() == before);
}

TEST_CASE("the API's key is made once, kept, and changed only when asked") {
  running_fixture f;
  CHECK(f.store.load_api_secret() == "secret");
  f.files.content["api_secret.json"] = R"("kept")";
  f.stop();
  f.boot();
  CHECK(f.store.load_api_secret() == "kept");
  f.world.advance(5s);
  CHECK(f.call("POST", "/v1/regenerate-api-key").body == "secret");
  CHECK(f.store.load_api_secret() == "secret");
}
