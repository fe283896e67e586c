#include "agent/applier.hpp"

#include "agent/engine_worker.hpp"
#include "agent/fetcher.hpp"
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

caf::behavior report_listener(caf::event_based_actor*, std::vector<json>* reports) {
  return {[reports](const state_changed& m) { reports->push_back(json::parse(*m.apps)); }};
}

struct fixture {
  actor_world world;
  memory_files files;
  state_store store{files};
  fake_engine engine;
  fake_locks locks;
  std::vector<json> reports;
  int cancels = 0;
  caf::actor ear = world.system().spawn(report_listener, &reports);
  caf::actor worker = world.system().spawn(engine_worker, &engine, device_say());
  caf::actor fetch_worker = world.system().spawn(fetcher, &engine, device_say());
  caf::actor actor;

  ~fixture() {
    for (const auto& a : {ear, worker, fetch_worker, actor}) {
      caf::anon_send_exit(a, caf::exit_reason::kill);
    }
  }
  void boot() {
    if (actor) {
      caf::anon_send_exit(actor, caf::exit_reason::kill);
      world.run();
    }
    actor = world.system().spawn(
      applier,
      &store,
      a_device(),
      applier_links{
        ear,
        worker,
        fetch_worker,
        [this] { ++cancels; },
        [this] { return world.now(); },
        &locks});
    world.run();
  }
  void target(const std::string& commit, json services) {
    auto t =
      domain::parse_target(target_json(commit, release_json(1, std::move(services))), device_uuid);
    REQUIRE(t);
    caf::anon_send(
      actor,
      target_arrived{std::make_shared<const domain::target_state>(std::move(*t))});
    world.run();
  }
  /// Asks for an action on the app; the outcome comes into `told`.
  void ask(domain::api_action_kind kind, bool force = false) {
    auto a = std::make_shared<asked_action>();
    a->action.kind = kind;
    a->action.app_uuid = app_uuid;
    a->action.app_id = 12;
    a->action.force = force;
    a->deadline = world.now() + 50s;
    a->tell = [this](const messages::result<std::string>& r) {
      told.push_back(r ? "done" : r.error().detail);
    };
    caf::anon_send(actor, action_asked{std::move(a)});
    world.run();
  }
  std::vector<std::string> told;
  json release(const std::string& commit) const {
    return reports.back()[app_uuid]["releases"][commit];
  }
};

json one(char content = 'a') {
  return {{"web", service_json(1, content)}};
}

}  // namespace

TEST_CASE("a target is fetched, made, started and reported as done") {
  fixture f;
  f.boot();
  f.target("c1", one());
  f.world.advance(5s);
  REQUIRE(f.engine.model.state.containers.size() == 1);
  CHECK(f.release("c1")["update_status"] == "done");
  CHECK(f.release("c1")["services"]["web"]["status"] == "Running");
  CHECK(f.reports.back()[app_uuid]["release_uuid"] == "c1");
  std::vector<std::string> said;
  for (const auto& r : f.reports) {
    said.push_back(r[app_uuid]["releases"]["c1"]["update_status"]);
  }
  CHECK(std::find(said.begin(), said.end(), "downloading") != said.end());
  CHECK(std::find(said.begin(), said.end(), "applying changes") != said.end());
}

TEST_CASE("nothing is claimed to run before it runs") {
  fixture f;
  f.boot();
  f.target("c1", one());
  f.world.advance(5s);
  f.reports.clear();
  f.engine.pull_fails[std::string(64, 'b')] = 1000;
  f.target("c2", one('b'));
  f.world.advance(5s);
  CHECK(f.reports.back()[app_uuid]["release_uuid"] == "c1");
  CHECK(f.release("c2")["services"]["web"]["status"] == "Downloading");
  // The old release still runs and is still told, with its own image.
  CHECK(f.release("c1")["services"]["web"]["status"] == "Running");
  CHECK(f.release("c1")["services"]["web"]["image"] == one()["web"]["image"]);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
}

TEST_CASE(
  "a failed pull waits longer each time while what runs is left alone, and a new target forgets "
  "it") {
  fixture f;
  f.boot();
  f.engine.pull_fails[std::string(64, 'a')] = 1000;
  f.target("c1", one());
  f.world.advance(60s);
  const auto tries = f.engine.pulls.size();
  CHECK(tries >= 5);
  CHECK(tries <= 8);
  f.target("c2", one('b'));
  f.world.advance(5s);
  CHECK(f.engine.model.service("web") != nullptr);
}

TEST_CASE(
  "an engine that is down is asked ever less often, and everything goes on when it is back") {
  fixture f;
  f.boot();
  f.engine.down = true;
  f.target("c1", one());
  f.world.advance(120s);
  CHECK(f.engine.snapshots < 12);
  CHECK(f.engine.snapshots > 3);
  f.engine.down = false;
  f.world.advance(200s);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
  CHECK(f.release("c1")["update_status"] == "done");
}

TEST_CASE("a device boots without a network: the stored target is carried out") {
  fixture f;
  REQUIRE(f.store.save_target({"e", target_json("c1", release_json(1, one()))}));
  f.boot();
  f.world.advance(5s);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
}

TEST_CASE("a restart of the agent touches no container") {
  fixture f;
  REQUIRE(f.store.save_target({"e", target_json("c1", release_json(1, one()))}));
  f.boot();
  f.world.advance(5s);
  const auto id = f.engine.model.service("web")->id;
  f.engine.model.log.clear();
  f.boot();
  f.world.advance(60s);
  CHECK(f.engine.model.log.empty());
  CHECK(f.engine.model.service("web")->id == id);
}

TEST_CASE("lost or damaged records delete nothing") {
  fixture f;
  REQUIRE(f.store.save_target({"e", target_json("c1", release_json(1, one()))}));
  f.boot();
  f.world.advance(5s);
  f.engine.model.log.clear();
  SECTION("all gone") {
    f.files.content.clear();
  }
  SECTION("all damaged") {
    for (auto& [name, bytes] : f.files.content) {
      bytes = bytes.substr(0, bytes.size() / 2);
    }
  }
  f.boot();
  f.world.advance(60s);
  CHECK(f.engine.model.log.empty());
  CHECK(f.engine.model.state.containers.size() == 1);
}

TEST_CASE("images are recorded before the pull, and deleted later only then") {
  fixture f;
  const auto web = one()["web"]["image"].get<std::string>();
  f.boot();
  SECTION("pulled by us") {
    f.target("c1", one());
    CHECK(f.store.load_images().at(std::string(64, 'a')) == web);
    f.world.advance(5s);
    f.target("c2", one('b'));
    f.world.advance(10s);
    REQUIRE(f.engine.released.size() == 1);
    CHECK(f.engine.released[0].second == web);
    CHECK(f.store.load_images().size() == 1);
  }
  SECTION("people brought it") {
    f.engine.model.state.foreign_images.insert(web);
    f.target("c1", one());
    f.world.advance(5s);
    f.target("c2", one('b'));
    f.world.advance(10s);
    REQUIRE(f.engine.released.size() == 1);
    CHECK(f.engine.released[0].second.empty());
  }
}

TEST_CASE("a step that the engine refuses is tried again ever less often") {
  fixture f;
  f.boot();
  f.engine.refuse = "create";
  f.target("c1", one());
  f.world.advance(120s);
  CHECK(f.engine.snapshots < 30);
  CHECK(f.release("c1")["update_status"] == "applying changes");
  f.engine.refuse.clear();
  f.world.advance(200s);
  CHECK(f.release("c1")["update_status"] == "done");
}

TEST_CASE("what crashed and was removed behind the agent's back is put right by the patrol") {
  fixture f;
  f.boot();
  f.target("c1", one());
  f.world.advance(5s);
  f.engine.model.state.containers.clear();
  f.world.advance(40s);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
}

TEST_CASE("an ordinary poll leaves the pauses of failures alone, a notice ends them") {
  fixture f;
  f.boot();
  f.engine.pull_fails[std::string(64, 'a')] = 1000;
  f.target("c1", one());
  for (int i = 0; i < 60; ++i) {
    caf::anon_send(f.actor, target_confirmed{false});
    f.world.advance(1s);
  }
  CHECK(f.engine.pulls.size() <= 8);
  const auto before = f.engine.pulls.size();
  caf::anon_send(f.actor, target_confirmed{true});
  f.world.run();
  CHECK(f.engine.pulls.size() == before + 1);
}

TEST_CASE("a converged device is quiet") {
  fixture f;
  f.boot();
  f.target("c1", one());
  f.world.advance(10s);
  const auto before = f.engine.snapshots;
  f.world.advance(300s);
  CHECK(f.engine.snapshots - before <= 10);
}

TEST_CASE("a stop that the target asked for is remembered over a restart") {
  fixture f;
  auto services = one();
  f.boot();
  f.target("c1", services);
  f.world.advance(5s);
  services["web"]["running"] = false;
  f.target("c1", services);
  f.world.advance(5s);
  CHECK(f.engine.model.service("web")->status == domain::container_status::exited);
  f.boot();
  services["web"]["running"] = true;
  f.target("c1", services);
  f.world.advance(5s);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
}

namespace {

json with_volume() {
  return {
    {"web", service_json(1, 'a', {{"volumes", {"data:/data"}}})},
    {"db", service_json(2, 'b', {{"volumes", {"data:/data", "more:/more"}}})}};
}

}  // namespace

TEST_CASE("a purge removes the app's containers and volumes, makes them anew, and pulls nothing") {
  fixture f;
  f.boot();
  f.target("c1", with_volume());
  f.world.advance(5s);
  f.engine.model.log.clear();
  const auto pulls = f.engine.pulls.size();
  f.ask(domain::api_action_kind::purge);
  f.world.advance(5s);
  CHECK(f.told == std::vector<std::string>{"done"});
  CHECK(f.engine.model.count("remove_volume data") == 1);
  CHECK(f.engine.model.count("remove_volume more") == 1);
  CHECK(f.engine.model.count("create_volume data") == 1);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
  CHECK(f.engine.model.service("db")->status == domain::container_status::running);
  CHECK(f.engine.pulls.size() == pulls);
  CHECK(f.store.load_purges().empty());
  CHECK(f.locks.taken.empty());
}

TEST_CASE("a purge that a crash interrupted goes on, and one that was over is not done again") {
  fixture f;
  f.boot();
  f.target("c1", with_volume());
  f.world.advance(5s);
  REQUIRE(f.store.save_target({"e", target_json("c1", release_json(1, with_volume()))}));
  SECTION("noted, nothing done") {
    REQUIRE(f.store.save_purges({app_uuid}));
  }
  SECTION("containers are gone") {
    REQUIRE(f.store.save_purges({app_uuid}));
    f.engine.model.state.containers.clear();
  }
  SECTION("one volume is gone too") {
    REQUIRE(f.store.save_purges({app_uuid}));
    f.engine.model.state.containers.clear();
    f.engine.model.state.volumes.pop_back();
  }
  f.engine.model.log.clear();
  f.boot();
  f.world.advance(10s);
  CHECK(f.store.load_purges().empty());
  CHECK(f.engine.model.count("remove_volume data") == 1);
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
  f.engine.model.log.clear();
  f.boot();
  f.world.advance(60s);
  CHECK(f.engine.model.log.empty());
}

TEST_CASE(
  "a purge that cannot be noted is not begun, one that cannot be stored as over makes nothing "
  "anew") {
  fixture f;
  f.boot();
  f.target("c1", with_volume());
  f.world.advance(5s);
  f.engine.model.log.clear();
  SECTION("not noted") {
    f.files.full = true;
    f.ask(domain::api_action_kind::purge);
    f.world.advance(5s);
    REQUIRE(f.told.size() == 1);
    CHECK(f.told[0] != "done");
    CHECK(f.engine.model.count("remove_volume data") == 0);
    CHECK(f.engine.model.service("web")->status == domain::container_status::running);
  }
  SECTION("not stored as over") {
    REQUIRE(f.store.save_target({"e", target_json("c1", release_json(1, with_volume()))}));
    REQUIRE(f.store.save_purges({app_uuid}));
    f.files.full = true;
    f.boot();
    f.world.advance(20s);
    CHECK(f.engine.model.count("remove_volume data") == 1);
    CHECK(f.engine.model.count("create_volume data") == 0);
    f.files.full = false;
    f.world.advance(60s);
    CHECK(f.engine.model.count("remove_volume data") == 1);
    CHECK(f.engine.model.count("create_volume data") == 1);
    CHECK(f.engine.model.service("web")->status == domain::container_status::running);
  }
}

TEST_CASE("a volume that the engine will not remove ends the purge, and the services come back") {
  fixture f;
  f.boot();
  f.target("c1", with_volume());
  f.world.advance(5s);
  f.engine.refuse = "remove_volume";
  f.ask(domain::api_action_kind::purge);
  f.world.advance(20s);
  REQUIRE(f.told.size() == 1);
  CHECK(f.told[0].find("remove_volume") != std::string::npos);
  CHECK(f.store.load_purges().empty());
  CHECK(f.engine.model.service("web")->status == domain::container_status::running);
}

TEST_CASE("a restart while another release is pulled restarts what runs, as it is") {
  fixture f;
  f.boot();
  f.target("c1", one());
  f.world.advance(5s);
  const auto id = f.engine.model.service("web")->id;
  f.engine.pull_fails[std::string(64, 'b')] = 1000;
  f.target("c2", one('b'));
  f.world.advance(2s);
  f.engine.model.log.clear();
  f.ask(domain::api_action_kind::restart);
  f.world.advance(5s);
  CHECK(f.told == std::vector<std::string>{"done"});
  CHECK(f.engine.model.count("restart web") == 1);
  CHECK(f.engine.model.service("web")->id == id);
}

TEST_CASE("actions are carried out one after the other") {
  fixture f;
  f.boot();
  f.target("c1", with_volume());
  f.world.advance(5s);
  f.engine.model.log.clear();
  f.ask(domain::api_action_kind::purge);
  f.ask(domain::api_action_kind::restart);
  f.world.advance(20s);
  CHECK(f.told == std::vector<std::string>{"done", "done"});
  CHECK(f.engine.model.count("remove web") == 2);
  CHECK(f.engine.model.count("remove_volume data") == 1);
}
