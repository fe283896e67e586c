#include "domain/planner.hpp"

#include "tests/support/engine_model.hpp"
#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace slipway::domain;
using namespace slipway::tests;
using json = nlohmann::json;

namespace {

/// A device with its engine, given targets one after another.
struct device {
  engine_model engine;
  plan_memory memory;
  desired_state desired;

  void given(const json& body) { desired = desired_of(body); }
  int run() { return converge(engine, desired, memory); }
  std::vector<std::string> next() const {
    std::vector<std::string> names;
    for (const auto& s : make_plan(engine.state, desired, memory).steps) {
      names.push_back(std::string(name(s.kind)) + (s.service.empty() ? "" : " " + s.service));
    }
    return names;
  }
  bool step() {
    const auto plan = make_plan(engine.state, desired, memory);
    if (plan.steps.empty()) {
      return false;
    }
    return engine.apply(plan.steps.front(), desired);
  }
};

json two_services(char web = 'a', char db = 'b') {
  return {{"web", service_json(1, web)}, {"db", service_json(2, db)}};
}

std::size_t position(const engine_model& e, const std::string& entry) {
  const auto it = std::find(e.log.begin(), e.log.end(), entry);
  return static_cast<std::size_t>(it - e.log.begin());
}

}  // namespace

TEST_CASE("a first install fetches all images before anything is created or started") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  CHECK(d.next() == std::vector<std::string>{"fetch db", "fetch web"});
  d.run();
  CHECK(position(d.engine, "create web") > position(d.engine, "fetch web"));
  CHECK(position(d.engine, "create db") > position(d.engine, "fetch web"));
  CHECK(d.engine.state.containers.size() == 2);
  CHECK(d.next().empty());
}

TEST_CASE("while one image is missing nothing of the running release is stopped or renamed") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  d.given(target_json("c2", release_json(2, two_services('c', 'b'))));
  CHECK(d.next() == std::vector<std::string>{"fetch web"});
  SECTION("while it is being pulled") {
    d.memory.fetching.insert(std::string(64, 'c'));
  }
  SECTION("while a failed pull waits") {
    d.memory.fetch_delayed.insert(std::string(64, 'c'));
  }
  if (!d.memory.fetching.empty() || !d.memory.fetch_delayed.empty()) {
    const auto plan = make_plan(d.engine.state, d.desired, d.memory);
    CHECK(plan.steps.empty());
    CHECK(plan.waiting);
  }
}

TEST_CASE("a second release replaces only the service that changed") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  const auto db = d.engine.service("db")->id;
  const auto web = d.engine.service("web")->id;
  d.engine.log.clear();
  d.given(target_json("c2", release_json(2, two_services('c', 'b'))));
  d.run();
  CHECK(d.engine.service("db")->id == db);
  CHECK(d.engine.service("db")->name.find("_c2_") != std::string::npos);
  CHECK(d.engine.service("web")->id != web);
  CHECK(position(d.engine, "remove web") < position(d.engine, "create web"));
  CHECK(d.engine.count("rename db") == 1);
  CHECK(d.engine.count("remove db") == 0);
  CHECK(d.engine.count("start db") == 0);
  CHECK(d.engine.count("release_image " + std::string(64, 'a')) == 1);
}

TEST_CASE("a change of nothing but names and ids renames and never restarts") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  d.engine.log.clear();
  auto services = two_services();
  services["web"]["image_id"] = 91;
  services["web"]["image"] = "registry.local/v2/other@sha256:" + std::string(64, 'a');
  auto body = target_json("c2", release_json(2, services));
  body[device_uuid]["name"] = "blue-fox";
  body[device_uuid]["apps"][app_uuid]["name"] = "good bye";
  d.given(body);
  d.run();
  CHECK(d.engine.log == std::vector<std::string>{"rename db", "rename web"});
}

TEST_CASE("each part of a service's configuration is worth a new container") {
  struct row {
    const char* what;
    json composition;
  };
  const row table[] = {
    {"command", {{"command", "sleep 9"}}},
    {"environment", {{"environment", {{"A", "1"}}}}},
    {"label", {{"labels", {{"a", "b"}}}}},
    {"port", {{"ports", {"8080:80"}}}},
    {"volume", {{"volumes", {"data:/data"}}}},
    {"capability", {{"cap_add", {"NET_ADMIN"}}}},
    {"network alias", {{"networks", {{"default", {{"aliases", {"x"}}}}}}}},
    {"second network", {{"networks", {"default", "back"}}}},
    {"restart policy", {{"restart", "no"}}},
  };
  for (const auto& [what, composition] : table) {
    INFO(what);
    device d;
    d.given(target_json("c1", release_json(1, {{"web", service_json(1, 'a')}})));
    d.run();
    const auto before = d.engine.service("web")->id;
    d.given(target_json("c2", release_json(2, {{"web", service_json(1, 'a', composition)}})));
    d.run();
    CHECK(d.engine.service("web")->id != before);
    CHECK(d.engine.state.containers.size() == 1);
  }
}

TEST_CASE("a container is started once; after that its restarts are the engine's business") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  d.engine.service("web")->status = container_status::exited;
  CHECK(d.next().empty());
  d.engine.service("web")->status = container_status::restarting;
  CHECK(d.next().empty());
}

TEST_CASE("running false stops and keeps the container, running true starts it again") {
  device d;
  auto services = two_services();
  d.given(target_json("c1", release_json(1, services)));
  d.run();
  const auto web = d.engine.service("web")->id;
  services["web"]["running"] = false;
  d.given(target_json("c1", release_json(1, services)));
  CHECK(d.next() == std::vector<std::string>{"stop web"});
  d.run();
  CHECK(d.engine.service("web")->status == container_status::exited);
  services["web"]["running"] = true;
  d.given(target_json("c1", release_json(1, services)));
  d.run();
  CHECK(d.engine.service("web")->status == container_status::running);
  CHECK(d.engine.service("web")->id == web);
}

TEST_CASE("a service that is not to run is created but not started") {
  device d;
  auto services = two_services();
  services["web"]["running"] = false;
  d.given(target_json("c1", release_json(1, services)));
  d.run();
  CHECK(d.engine.service("web")->status == container_status::created);
}

TEST_CASE("of duplicate containers the newest that matches stays") {
  device d;
  d.given(target_json("c1", release_json(1, {{"web", service_json(1, 'a')}})));
  d.run();
  auto twin = *d.engine.service("web");
  twin.id = "twin";
  SECTION("newer twin that matches") {
    twin.created = 1000;
    d.engine.state.containers.push_back(twin);
    d.run();
    CHECK(d.engine.service("web")->id == "twin");
  }
  SECTION("newer twin of another configuration") {
    twin.created = 1000;
    twin.config_hash = "other";
    d.engine.state.containers.push_back(twin);
    d.run();
    CHECK(d.engine.service("web")->id != "twin");
  }
  SECTION("newer twin that never ran") {
    twin.created = 1000;
    twin.status = container_status::created;
    d.engine.state.containers.push_back(twin);
    d.run();
    CHECK(d.engine.service("web")->id != "twin");
  }
  CHECK(d.engine.state.containers.size() == 1);
}

TEST_CASE("dead containers are removed first, those on their way out are waited for") {
  device d;
  d.given(target_json("c1", release_json(1, {{"web", service_json(1, 'a')}})));
  d.run();
  SECTION("dead") {
    d.engine.service("web")->status = container_status::dead;
    CHECK(d.next() == std::vector<std::string>{"remove web"});
  }
  SECTION("removing") {
    d.engine.service("web")->status = container_status::removing;
    CHECK(d.next() == std::vector<std::string>{"wait web"});
  }
  d.run();
  CHECK(d.engine.service("web")->status == container_status::running);
}

TEST_CASE("services start in the order of depends_on") {
  const json forms[] = {
    {{"depends_on", {"db"}}},
    {{"depends_on", {{"db", {{"condition", "service_started"}}}}}}};
  for (const auto& form : forms) {
    device d;
    json services = two_services();
    services["a"] = service_json(3, 'c', form);
    d.given(target_json("c1", release_json(1, services)));
    d.run();
    CHECK(position(d.engine, "start db") < position(d.engine, "create a"));
  }
}

TEST_CASE("a service in another's network follows that one's container") {
  device d;
  auto services = two_services();
  services["side"] = service_json(3, 'c', {{"network_mode", "service:web"}});
  d.given(target_json("c1", release_json(1, services)));
  d.run();
  const auto side = d.engine.service("side")->id;
  CHECK(d.engine.service("side")->shares_network_of == d.engine.service("web")->id);
  services["web"] = service_json(4, 'd');
  d.given(target_json("c2", release_json(2, services)));
  d.run();
  CHECK(d.engine.service("side")->id != side);
  CHECK(d.engine.service("side")->shares_network_of == d.engine.service("web")->id);
}

TEST_CASE("a service that left the release is removed, with its network, never with its volume") {
  device d;
  auto services = two_services();
  services["web"]["composition"] = {{"volumes", {"data:/data"}}, {"networks", {"front"}}};
  d.given(target_json("c1", release_json(1, services)));
  d.run();
  REQUIRE(d.engine.state.networks.size() == 2);
  d.given(target_json("c2", release_json(2, {{"db", service_json(2, 'b')}})));
  d.run();
  CHECK(d.engine.service("web") == nullptr);
  CHECK(d.engine.state.networks.size() == 1);
  CHECK(d.engine.state.volumes.size() == 1);
}

TEST_CASE("a network whose definition changed is remade under its containers") {
  device d;
  auto release = release_json(1, two_services());
  d.given(target_json("c1", release));
  d.run();
  d.engine.log.clear();
  release["networks"] = {{"default", {{"internal", true}}}};
  d.given(target_json("c2", release));
  d.run();
  CHECK(position(d.engine, "remove db") < position(d.engine, "remove_network default"));
  CHECK(
    position(d.engine, "remove_network default") < position(d.engine, "create_network default"));
  CHECK(d.engine.service("web")->status == container_status::running);
}

TEST_CASE("a volume whose definition changed stays, with its data") {
  device d;
  auto release = release_json(1, {{"web", service_json(1, 'a', {{"volumes", {"data:/data"}}})}});
  d.given(target_json("c1", release));
  d.run();
  d.engine.log.clear();
  release["volumes"] = {{"data", {{"driver_opts", {{"type", "tmpfs"}}}}}};
  d.given(target_json("c2", release));
  d.run();
  CHECK(d.engine.count("create_volume data") == 0);
  CHECK(d.engine.state.volumes.size() == 1);
}

TEST_CASE("an app that left the target goes, its volumes stay") {
  device d;
  d.given(target_json(
    "c1",
    release_json(1, {{"web", service_json(1, 'a', {{"volumes", {"data:/data"}}})}})));
  d.run();
  auto body = target_json("c1", release_json(1, {{"web", service_json(1, 'b')}}));
  auto& apps = body[device_uuid]["apps"];
  apps["b0"] = apps[app_uuid];
  apps["b0"]["id"] = 13;
  apps.erase(app_uuid);
  d.given(body);
  d.run();
  REQUIRE(d.engine.state.containers.size() == 1);
  CHECK(d.engine.state.containers[0].app_uuid == "b0");
  CHECK(d.engine.state.volumes.size() == 1);
  CHECK(d.engine.state.networks.size() == 1);
  CHECK(d.engine.state.images == std::set<std::string>{std::string(64, 'b')});
}

TEST_CASE("an empty list of apps removes nothing") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  auto body = target_json("c1", release_json(1, two_services()));
  body[device_uuid]["apps"] = json::object();
  d.given(body);
  const auto plan = make_plan(d.engine.state, d.desired, d.memory);
  CHECK(plan.steps.empty());
  CHECK(plan.empty_target_held);
}

TEST_CASE("an app without a release runs nothing") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.run();
  d.given(target_json("", {}));
  d.run();
  CHECK(d.engine.state.containers.empty());
}

TEST_CASE("several apps run beside each other and do not wait for each other's images") {
  auto body = target_json("c1", release_json(1, {{"web", service_json(1, 'a')}}));
  auto& apps = body[device_uuid]["apps"];
  apps["b0"] = {
    {"id", 13},
    {"name", "second"},
    {"releases", {{"d1", release_json(9, {{"web", service_json(5, 'e')}})}}}};
  device d;
  d.given(body);
  d.memory.fetching.insert(std::string(64, 'e'));
  d.engine.state.images.insert(std::string(64, 'a'));
  d.run();
  REQUIRE(d.engine.state.containers.size() == 1);
  d.memory.fetching.clear();
  d.run();
  CHECK(d.engine.state.containers.size() == 2);
  CHECK(d.engine.state.containers[0].name != d.engine.state.containers[1].name);
}

TEST_CASE(
  "images go only when all else is done, and a pull that nobody wants any more is cleaned up") {
  device d;
  d.given(target_json("c1", release_json(1, two_services())));
  d.memory.images_pulled.insert("halfpulled");
  d.engine.state.images.insert("old");
  CHECK(d.next() == std::vector<std::string>{"fetch db", "fetch web"});
  d.run();
  CHECK(d.engine.log.back() == "release_image old");
  CHECK(d.engine.count("release_image halfpulled") == 1);
}

TEST_CASE("host apps are none of the agent's business") {
  auto body = target_json("c1", release_json(1, two_services()));
  body[device_uuid]["apps"][app_uuid]["is_host"] = true;
  CHECK(desired_of(body).apps.empty());
}

TEST_CASE(
  "from any state, with the agent dying anywhere, every target is reached and the rest is left "
  "alone") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto roll = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int run = 0; run < 200; ++run) {
    device d;
    for (int release = 1; release < 6; ++release) {
      json services = json::object();
      for (const char* service : {"web", "db", "worker", "cache"}) {
        if (roll(4) != 0) {
          json composition = json::object();
          if (roll(3) == 0) {
            composition["depends_on"] = {std::string("db") == service ? "nobody" : "db"};
          }
          if (roll(3) == 0) {
            composition["volumes"] = {"data:/data"};
          }
          if (roll(4) == 0) {
            composition["networks"] = {"front", "default"};
          }
          services[service] = service_json(release, static_cast<char>('a' + roll(3)), composition);
          services[service]["running"] = roll(6) != 0;
        }
      }
      const auto volumes = d.engine.state.volumes.size();
      d.given(target_json("c" + std::to_string(release), release_json(release, services)));
      for (int i = roll(8); i > 0; --i) {
        d.step();  // one step, then the agent dies and looks at the engine afresh
      }
      d.run();
      CHECK(d.engine.state.containers.size() == services.size());
      CHECK(d.engine.state.volumes.size() >= volumes);
      for (const auto& c : d.engine.state.containers) {
        const auto& wanted = d.desired.apps.at(app_uuid).services.at(c.service);
        CHECK(c.name == wanted.container_name);
        CHECK(c.config_hash == wanted.config_hash);
      }
    }
  }
}
