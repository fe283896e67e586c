#include "domain/target_state.hpp"

#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

using namespace slipway::domain;
using namespace slipway::tests;
using json = nlohmann::json;

namespace {

json good() {
  auto release = release_json(5, {{"web", service_json(1, 'a')}, {"db", service_json(2, 'b')}});
  release["volumes"] = {{"data", nullptr}};
  release["networks"] = {{"front", {{"internal", true}}}};
  return target_json("c1", release);
}

json& service(json& body) {
  return body[device_uuid]["apps"][app_uuid]["releases"]["c1"]["services"]["web"];
}

}  // namespace

TEST_CASE("a target is read as the platform sends it") {
  const auto t = parse_target(good(), device_uuid);
  REQUIRE(t);
  const auto& app = t->apps.at(app_uuid);
  CHECK(app.id == 12);
  CHECK(app.name == "hello");
  REQUIRE(app.release);
  CHECK(app.release->commit == "c1");
  CHECK(app.release->services.at("web").image_id == 1);
  CHECK(app.release->services.at("web").running);
  CHECK(app.release->volumes.contains("data"));
}

TEST_CASE("absent members of an app or release are as good as empty ones") {
  auto body = target_json("", {});
  CHECK_FALSE(parse_target(body, device_uuid)->apps.at(app_uuid).release);
  body = target_json("c1", {{"id", 1}});
  CHECK(parse_target(body, device_uuid)->apps.at(app_uuid).release->services.empty());
}

TEST_CASE("a target without this device or without apps is a fault, not an empty target") {
  CHECK_FALSE(parse_target(good(), "ffff"));
  CHECK_FALSE(parse_target(json::object(), device_uuid));
  CHECK_FALSE(parse_target(json::array(), device_uuid));
  auto body = good();
  body[device_uuid].erase("apps");
  CHECK_FALSE(parse_target(body, device_uuid));
}

TEST_CASE("one fault anywhere refuses the whole target and names the place") {
  struct row {
    const char* place;
    void (*spoil)(json&);
  };
  const row table[] = {
    {"name", [](json& b) { b[device_uuid]["name"] = "two\nlines"; }},
    {"name", [](json& b) { b[device_uuid]["name"] = std::string(256, 'x'); }},
    {"config", [](json& b) { b[device_uuid]["config"]["1A"] = "x"; }},
    {"config", [](json& b) { b[device_uuid]["config"]["A"] = 1; }},
    {"apps", [](json& b) { b[device_uuid]["apps"] = json::array(); }},
    {".id", [](json& b) { b[device_uuid]["apps"][app_uuid]["id"] = "twelve"; }},
    {".id", [](json& b) { b[device_uuid]["apps"][app_uuid]["id"] = -1; }},
    {"app uuid",
     [](json& b) {
       b[device_uuid]["apps"]["../x"] = {{"id", 1}};
     }},
    {"releases",
     [](json& b) {
       b[device_uuid]["apps"][app_uuid]["releases"]["c2"] = {{"id", 1}};
     }},
    {"releases", [](json& b) { b[device_uuid]["apps"][app_uuid]["releases"] = 1; }},
    {"commit",
     [](json& b) {
       b[device_uuid]["apps"][app_uuid]["releases"] = {{"a b", {{"id", 1}}}};
     }},
    {"image_id", [](json& b) { service(b).erase("image_id"); }},
    {"image", [](json& b) { service(b).erase("image"); }},
    {"image", [](json& b) { service(b)["image"] = "host/a b"; }},
    {"image", [](json& b) { service(b)["image"] = "host/a?x=1"; }},
    {"image", [](json& b) { service(b)["image"] = std::string(300, 'a'); }},
    {"environment", [](json& b) { service(b)["environment"]["A-B"] = "x"; }},
    {"environment", [](json& b) { service(b)["environment"]["A"] = 1; }},
    {"environment", [](json& b) { service(b)["environment"]["A"] = std::string("a\0b", 3); }},
    {"labels", [](json& b) { service(b)["labels"]["a b"] = "x"; }},
    {"labels", [](json& b) { service(b)["labels"] = "x"; }},
    {"composition", [](json& b) { service(b)["composition"] = "x"; }},
    {"running", [](json& b) { service(b)["running"] = "no"; }},
    {"service name",
     [](json& b) {
       b[device_uuid]["apps"][app_uuid]["releases"]["c1"]["services"]["a/b"] = service_json(1, 'a');
     }},
    {"volumes",
     [](json& b) { b[device_uuid]["apps"][app_uuid]["releases"]["c1"]["volumes"]["/etc"] = {}; }},
    {"networks",
     [](json& b) { b[device_uuid]["apps"][app_uuid]["releases"]["c1"]["networks"]["a"] = 1; }},
    {"circle",
     [](json& b) {
       service(b)["composition"] = {{"depends_on", {"web"}}};
     }},
  };
  REQUIRE(parse_target(good(), device_uuid));
  for (const auto& [place, spoil] : table) {
    auto body = good();
    spoil(body);
    INFO(place << " in " << body.dump());
    const auto t = parse_target(body, device_uuid);
    REQUIRE_FALSE(t);
    CHECK(t.error().detail.find(place) != std::string::npos);
  }
}

TEST_CASE("a dependency that the platform left out does not spoil the target") {
  auto body = good();
  service(body)["composition"] = {{"depends_on", {"profiled"}}};
  CHECK(parse_target(body, device_uuid));
}
