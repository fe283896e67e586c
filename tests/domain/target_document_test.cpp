#include "domain/target_document.hpp"

#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace slipway;
using nlohmann::json;

namespace {

struct told {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");
  std::int64_t device = i.given_device(fleet);

  [[nodiscard]] json document() const {
    const auto text = domain::device_target(i.rows, device);
    REQUIRE(text);
    return json::parse(*text);
  }
  [[nodiscard]] json state() const { return document()[i.text_of("device", device, "uuid")]; }
  [[nodiscard]] json app() const {
    return state()["apps"][i.text_of("application", fleet, "uuid")];
  }
  [[nodiscard]] json release(std::int64_t id) const {
    return app()["releases"][i.text_of("release", id, "commit")];
  }
  void
  var(const char* resource, const char* parent, std::int64_t id, const char* name, const char* v) {
    static_cast<void>(i.given(resource, {{parent, id}, {"name", name}, {"value", v}}));
  }
  void label(
    const char* resource,
    const char* parent,
    std::int64_t id,
    const char* name,
    const char* v) {
    static_cast<void>(i.given(resource, {{parent, id}, {"label_name", name}, {"value", v}}));
  }
};

}  // namespace

TEST_CASE("a device of a fleet without a release is told its fleet and no releases") {
  const told t;
  CHECK(t.document().size() == 1);
  CHECK(t.state()["name"] == t.i.text_of("device", t.device, "device_name"));
  CHECK(t.state()["config"] == json{{"RESIN_SUPERVISOR_POLL_INTERVAL", "600000"}});
  CHECK(t.state()["apps"].size() == 1);
  CHECK(t.app() == json{{"id", t.fleet}, {"name", "cars"}, {"is_host", false}, {"class", "fleet"}});
}

TEST_CASE("a device is told the services of its fleet's target release") {
  told t;
  const auto id = t.i.given_release(t.fleet, {"main", "side"});
  const auto r = t.release(id);
  CHECK(r["id"] == id);
  CHECK(r["services"].size() == 2);
  const auto& main = r["services"]["main"];
  const auto link = t.i.where("release_image", "is_part_of__release", id).at(0);
  const auto image = t.i.id_of("release_image", link, "image");
  CHECK(main["id"] == t.i.given_service(t.fleet, "main"));
  CHECK(main["image_id"] == image);
  CHECK(
    main["image"]
    == t.i.text_of("image", image, "is_stored_at__image_location")
         + "@sha256:" + std::string(64, 'f'));
  CHECK(main["environment"] == json::object());
  CHECK(main["labels"] == json::object());
  CHECK_FALSE(main.contains("contract"));
  CHECK_FALSE(main.contains("composition"));
  CHECK_FALSE(r.contains("networks"));
  CHECK_FALSE(r.contains("volumes"));
}

TEST_CASE("a pin overrides the fleet's target") {
  told t;
  const auto old = t.i.given_release(t.fleet);
  t.i.now += 1000;
  const auto target = t.i.given_release(t.fleet);
  CHECK(t.release(target)["id"] == target);
  REQUIRE(t.i.change(t.ann, "device", t.device, {{"is_pinned_on__release", old}}));
  CHECK(t.app()["releases"].size() == 1);
  CHECK(t.release(old)["id"] == old);
}

TEST_CASE("of a variable that is set twice the nearer to the device's service wins") {
  told t;
  const auto id = t.i.given_release(t.fleet, {"main", "side"});
  const auto link = t.i.where("release_image", "is_part_of__release", id).at(0);
  const auto service = t.i.given_service(t.fleet, "main");
  REQUIRE(t.i.change(t.ann, "device", t.device, {{"is_pinned_on__release", id}}));
  const auto install = t.i.where("service_install", "installs__service", service).at(0);
  const auto value = [&] { return t.release(id)["services"]["main"]["environment"]["A"]; };
  t.var("image_environment_variable", "release_image", link, "A", "image");
  CHECK(value() == "image");
  t.var("application_environment_variable", "application", t.fleet, "A", "fleet");
  CHECK(value() == "fleet");
  t.var("service_environment_variable", "service", service, "A", "service");
  CHECK(value() == "service");
  t.var("device_environment_variable", "device", t.device, "A", "device");
  CHECK(value() == "device");
  t.var("device_service_environment_variable", "service_install", install, "A", "device service");
  CHECK(value() == "device service");
  // What is meant for one service does not reach the other.
  CHECK(t.release(id)["services"]["side"]["environment"] == json{{"A", "device"}});
}

TEST_CASE("a service label overrides the image's") {
  told t;
  const auto id = t.i.given_release(t.fleet);
  const auto link = t.i.where("release_image", "is_part_of__release", id).at(0);
  t.label("image_label", "release_image", link, "a", "image");
  t.label("image_label", "release_image", link, "b", "image");
  t.label("service_label", "service", t.i.given_service(t.fleet, "main"), "a", "service");
  CHECK(t.release(id)["services"]["main"]["labels"] == json{{"a", "service"}, {"b", "image"}});
}

TEST_CASE("the update strategy of the configuration becomes a label unless there is one") {
  told t;
  const auto id = t.i.given_release(t.fleet, {"main", "side"});
  const auto link = t.i.where("release_image", "is_part_of__release", id).at(0);
  t.label("image_label", "release_image", link, "io.resin.update.strategy", "hand-over");
  t.var(
    "application_config_variable",
    "application",
    t.fleet,
    "RESIN_SUPERVISOR_UPDATE_STRATEGY",
    "kill-then-download");
  t.var("device_config_variable", "device", t.device, "RESIN_SUPERVISOR_HANDOVER_TIMEOUT", "1000");
  const auto services = t.release(id)["services"];
  CHECK(services["main"]["labels"]["io.resin.update.strategy"] == "hand-over");
  CHECK(services["side"]["labels"]["io.resin.update.strategy"] == "kill-then-download");
  CHECK(services["side"]["labels"]["io.resin.update.handover-timeout"] == "1000");
}

TEST_CASE("a device's configuration overrides the fleet's, and the dashboard's own is left out") {
  told t;
  const auto fleet_var = [&](const char* name, const char* v) {
    t.var("application_config_variable", "application", t.fleet, name, v);
  };
  fleet_var("RESIN_A", "fleet");
  fleet_var("RESIN_B", "fleet");
  fleet_var("BALENA_UI_X", "1");
  fleet_var("RESIN_UI_X", "1");
  fleet_var("RESIN_HOST_LOG_TO_DISPLAY", "1");
  t.var("device_config_variable", "device", t.device, "RESIN_A", "device");
  CHECK(
    t.state()["config"]
    == json{
      {"RESIN_A", "device"},
      {"RESIN_B", "fleet"},
      {"RESIN_SUPERVISOR_POLL_INTERVAL", "600000"}});
}

TEST_CASE(
  "a poll interval may be longer than the server's, never shorter, and nonsense is ignored") {
  told t;
  const auto interval = [&] { return t.state()["config"]["RESIN_SUPERVISOR_POLL_INTERVAL"]; };
  t.var(
    "application_config_variable",
    "application",
    t.fleet,
    "RESIN_SUPERVISOR_POLL_INTERVAL",
    "1000");
  CHECK(interval() == "600000");
  t.var("device_config_variable", "device", t.device, "RESIN_SUPERVISOR_POLL_INTERVAL", "900000");
  CHECK(interval() == "900000");
  const auto id = t.i.where("device_config_variable", "device", t.device).at(0);
  REQUIRE(t.i.change(t.ann, "device_config_variable", id, {{"value", "soon"}}));
  CHECK(interval() == "600000");
}

TEST_CASE("the compose service is told without how it is built, networks and volumes as they are") {
  told t;
  const auto id = t.i.given_release(t.fleet);
  const messages::json_text composition{
    R"({"version":"2.4","services":{"main":{"build":{"context":"."},"ports":["80:80"]},"other":{}},)"
    R"("volumes":{"data":{}},"networks":{"back":{"driver":"bridge"}}})"};
  REQUIRE(t.i.change(t.ann, "release", id, {{"composition", composition}}));
  const auto r = t.release(id);
  CHECK(r["services"]["main"]["composition"] == json{{"ports", {"80:80"}}});
  CHECK(r["volumes"] == json{{"data", json::object()}});
  CHECK(r["networks"] == json{{"back", {{"driver", "bridge"}}}});
}

TEST_CASE("a composition that is nonsense does not keep the services from the device") {
  told t;
  const auto id = t.i.given_release(t.fleet);
  const auto* const text =
    GENERATE("[1,2]", "{\"services\":7}", "null", "{\"services\":{\"main\":3}}");
  REQUIRE(t.i.change(t.ann, "release", id, {{"composition", messages::json_text{text}}}));
  CHECK(t.release(id)["services"].contains("main"));
}

TEST_CASE("an image reference is lower case") {
  told t;
  const auto id = t.i.given_release(t.fleet);
  const auto link = t.i.where("release_image", "is_part_of__release", id).at(0);
  const auto image = t.i.id_of("release_image", link, "image");
  REQUIRE(t.i.change(
    tests::installation::platform(),
    "image",
    image,
    {{"is_stored_at__image_location", "Registry.Test/v2/ABC"}}));
  CHECK(
    t.release(id)["services"]["main"]["image"]
    == "registry.test/v2/abc@sha256:" + std::string(64, 'f'));
}

TEST_CASE("there is no target for a device or fleet that is not there") {
  const told t;
  CHECK(domain::device_target(t.i.rows, 4711).error().code == messages::errc::not_found);
  CHECK(domain::fleet_target(t.i.rows, 4711, "").error().code == messages::errc::not_found);
}

TEST_CASE("what a new device would be told is the fleet's target or the release asked for") {
  told t;
  const auto old = t.i.given_release(t.fleet);
  t.i.now += 1000;
  const auto target = t.i.given_release(t.fleet);
  t.var("device_environment_variable", "device", t.device, "A", "not for others");
  const auto uuid = t.i.text_of("application", t.fleet, "uuid");
  const auto told = [&](const std::string& commit) {
    return json::parse(domain::fleet_target(t.i.rows, t.fleet, commit).value())[uuid];
  };
  const auto commit = [&](std::int64_t id) { return t.i.text_of("release", id, "commit"); };
  CHECK(told("")["name"] == "cars");
  CHECK(told("")["apps"][uuid]["releases"][commit(target)]["id"] == target);
  const auto asked = told(commit(old))["apps"][uuid]["releases"];
  CHECK(asked.size() == 1);
  CHECK(asked[commit(old)]["id"] == old);
  CHECK(asked[commit(old)]["services"]["main"]["environment"] == json::object());
  CHECK_FALSE(domain::fleet_target(t.i.rows, t.fleet, "unknown"));
}
