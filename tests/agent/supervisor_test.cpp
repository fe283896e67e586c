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
  fake_overlay(std::vector<std::uint64_t>& acks, link_callbacks c, link_callbacks*& out)
    : acks_(acks), callbacks_(std::move(c)) {
    out = &callbacks_;
  }
  messages::result<void> start() override { return {}; }
  void ack(std::uint64_t id) override { acks_.push_back(id); }

private:
  std::vector<std::uint64_t>& acks_;
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
    w.poll_api = w.report_api = &api;
    w.identity_known = [](const registered&) {};
    w.cancel_calls = [] {};
    w.overlay = [this](const std::string&, link_callbacks c) {
      return std::make_unique<fake_overlay>(acks, std::move(c), overlay);
    };
    w.now = [this] { return world.now(); };
    w.random = [](std::uint64_t) { return std::uint64_t{0}; };
    w.detach = false;
    agent_settings s;
    s.device = a_device();
    actor = world.system().spawn(supervisor, std::move(w), std::move(s));
    world.run();
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
