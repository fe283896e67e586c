#include "domain/supervisor_api.hpp"

#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

#include <optional>

using namespace slipway;
using namespace slipway::domain;
using namespace slipway::tests;
using json = nlohmann::json;
using kind = api_action_kind;

namespace {

/// A device with two services of app 12; `web` has image 1, `db` has image 2.
device_view a_view() {
  device_view v;
  v.uuid = device_uuid;
  v.name = "red-fox";
  v.os_version = "Debian 12";
  v.supervisor_version = "17.0.0";
  v.ip_address = "10.0.0.2";
  v.mac_address = "AA:BB";
  v.hostname = "fox";
  const auto desired = desired_of(target_json(
    "c1",
    release_json(3, {{"web", service_json(1, 'a')}, {"db", service_json(2, 'b')}})));
  v.desired = std::make_shared<const desired_state>(desired);
  current_state now;
  for (const auto& [service, s] : desired.apps.at(app_uuid).services) {
    current_container c;
    c.id = "id-" + service;
    c.name = s.container_name;
    c.status = container_status::running;
    c.app_uuid = app_uuid;
    c.service = service;
    c.config_hash = s.config_hash;
    now.containers.push_back(c);
    now.images.insert(s.image_key);
  }
  v.current = std::make_shared<const current_state>(now);
  v.running[app_uuid] = "c1";
  v.settled = true;
  return v;
}

struct asked {
  std::optional<api_answer> answer;
  std::optional<api_action> action;
};

asked ask(
  const std::string& method,
  const std::string& path,
  const std::string& body = "",
  const device_view& view = a_view()) {
  auto r = route({method, path, body}, view);
  asked out;
  if (auto* answer = std::get_if<api_answer>(&r)) {
    out.answer = *answer;
  } else {
    out.action = std::get<api_action>(r);
  }
  return out;
}

json read(const std::string& path) {
  const auto a = ask("GET", path);
  REQUIRE(a.answer);
  CHECK(a.answer->status == 200);
  return json::parse(a.answer->body);
}

int status(const std::string& method, const std::string& path, const std::string& body = "") {
  const auto a = ask(method, path, body);
  return a.answer ? a.answer->status : 0;
}

api_action acts(const std::string& path, const std::string& body = "") {
  const auto a = ask("POST", path, body);
  REQUIRE(a.action);
  return *a.action;
}

}  // namespace

TEST_CASE("every action of the supervisor API is understood") {
  struct row {
    const char* path;
    const char* body;
    kind what;
    const char* service;
    api_style style;
  };
  const row rows[] = {
    {"/v1/update", "", kind::update, "", api_style::text},
    {"/v1/blink", "", kind::blink, "", api_style::text},
    {"/v1/restart", R"({"appId":12})", kind::restart, "", api_style::text},
    {"/v1/restart", R"({"appId":"12"})", kind::restart, "", api_style::text},
    {"/v1/purge", R"({"appId":12})", kind::purge, "", api_style::data},
    {"/v1/reboot", R"({"force":false})", kind::reboot, "", api_style::data},
    {"/v1/shutdown", "", kind::shutdown, "", api_style::data},
    {"/v1/regenerate-api-key", "", kind::regenerate_key, "", api_style::text},
    {"/v2/applications/12/restart", "", kind::restart, "", api_style::text},
    {"/v2/applications/12/purge", "{}", kind::purge, "", api_style::text},
    {"/v2/applications/12/start-service",
     R"({"imageId":1})",
     kind::start_service,
     "web",
     api_style::text},
    {"/v2/applications/12/stop-service",
     R"({"imageId":"2"})",
     kind::stop_service,
     "db",
     api_style::text},
    {"/v2/applications/12/restart-service",
     R"({"serviceName":"web"})",
     kind::restart_service,
     "web",
     api_style::text},
    {"/v2/journal-logs", "", kind::read_journal, "", api_style::text}};
  for (const auto& r : rows) {
    INFO(r.path);
    const auto a = acts(r.path, r.body);
    CHECK(a.kind == r.what);
    CHECK(a.service == r.service);
    CHECK(a.style == r.style);
    CHECK_FALSE(a.force);
  }
}

TEST_CASE("force is true in each form that the supervisor takes for true, and in no other") {
  for (const char* yes : {"1", "\"1\"", "true", "\"true\"", "\"on\""}) {
    CHECK(acts("/v1/reboot", std::string(R"({"force":)") + yes + "}").force);
  }
  for (const char* no : {"0", "\"0\"", "false", "null", "2", "[]", "{}", "\"yes\""}) {
    CHECK_FALSE(acts("/v1/reboot", std::string(R"({"force":)") + no + "}").force);
  }
}

TEST_CASE("what only reads is answered") {
  CHECK(ask("GET", "/ping").answer->body == "OK");
  CHECK(ask("GET", "/v1/healthy").answer->status == 200);
  const auto device = read("/v1/device");
  CHECK(device["api_port"] == 48484);
  CHECK(device["commit"] == "c1");
  CHECK(device["status"] == "Idle");
  CHECK(device["download_progress"].is_null());
  CHECK(device["update_pending"] == false);
  CHECK(device["supervisor_version"] == "17.0.0");
  CHECK(read("/v1/device/host-config")["network"]["hostname"] == "fox");
  CHECK(read("/v2/version") == json{{"status", "success"}, {"version", "17.0.0"}});
  CHECK(read("/v2/device/name")["deviceName"] == "red-fox");
  CHECK(read("/v2/device/vpn")["vpn"]["enabled"] == true);
  const auto apps = read("/v2/applications/state");
  CHECK(apps["hello"]["appId"] == 12);
  CHECK(apps["hello"]["services"]["web"]["status"] == "Running");
  const auto app = read("/v2/applications/12/state");
  CHECK(app["commit"] == "c1");
  CHECK(app["local"]["12"]["services"]["1"]["status"] == "Running");
  const auto state = read("/v2/state/status");
  CHECK(state["appState"] == "applied");
  CHECK(state["containers"].size() == 2);
  CHECK(state["images"].size() == 2);
  CHECK(state["release"] == "c1");
  CHECK(read("/v2/containerId")["services"]["db"] == "id-db");
  CHECK(read("/v2/containerId?service=web")["containerId"] == "id-web");
  CHECK(status("GET", "/v2/containerId?service=none") == 503);
  CHECK(ask("GET", "/v2/device/tags").action->kind == kind::read_tags);
}

TEST_CASE("requests that make no sense are refused") {
  CHECK(status("GET", "/") == 404);
  CHECK(status("GET", "/v3/x") == 404);
  CHECK(status("POST", "/v1/unknown") == 404);
  CHECK(status("GET", "/v1/restart") == 404);
  CHECK(status("POST", "/v1/restart") == 400);
  CHECK(status("POST", "/v1/restart", R"({"appId":"x"})") == 400);
  CHECK(status("POST", "/v1/restart", R"({"appId":-12})") == 400);
  CHECK(status("POST", "/v1/restart", R"({"appId":1e300})") == 400);
  CHECK(status("POST", "/v1/restart", R"({"appId":99})") == 404);
  CHECK(status("POST", "/v1/restart", "[]") == 400);
  CHECK(status("POST", "/v1/restart", "{") == 400);
  CHECK(status("POST", "/v1/restart", std::string(100'000, '[')) == 400);
  CHECK(status("GET", "/v2/applications/99/state") == 409);
  CHECK(status("GET", "/v2/applications/x/state") == 400);
  CHECK(status("POST", "/v2/applications/12/stop-service") == 400);
  CHECK(status("POST", "/v2/applications/12/stop-service", R"({"imageId":77})") == 404);
  CHECK(status("POST", "/v2/applications/12/stop-service", R"({"serviceName":"../x"})") == 404);
  CHECK(status("POST", "/v2/applications/99/restart") == 404);
  CHECK(status("PATCH", "/v1/device/host-config", R"({"network":{"hostname":"x"}})") == 503);
  CHECK(status("GET", "/v1/apps/12") == 400);  // two services
  CHECK(status("GET", std::string(500, '/') + "v1/a/b/c/d/e/f/g/h/i") == 404);
}

TEST_CASE("no argument of the journal can be anything but what it says") {
  const auto a = acts(
    "/v2/journal-logs",
    R"({"unit":"docker.service","count":5,"format":"json","all":true,"since":"2026-01-01 10:00"})");
  CHECK(
    a.text == "--lines=5\n--unit=docker.service\n--since=2026-01-01 10:00\n--output=json\n--all\n");
  for (const char* body :
       {R"x({"unit":"a\nb"})x",
        R"x({"unit":"$(reboot)"})x",
        R"x({"since":"x;y"})x",
        R"x({"count":0})x",
        R"x({"count":99999999})x",
        R"x({"format":"export"})x",
        R"x({"containerId":"--all"})x",
        R"x({"follow":true})x"}) {
    INFO(body);
    CHECK(status("POST", "/v2/journal-logs", body) == 400);
  }
}

TEST_CASE("tags are short texts or null") {
  const auto a = ask("PATCH", "/v2/device/tags", R"({"k":"v","gone":null})");
  REQUIRE(a.action);
  CHECK(a.action->kind == kind::change_tags);
  CHECK(json::parse(a.action->text) == json{{"k", "v"}, {"gone", nullptr}});
  CHECK(status("PATCH", "/v2/device/tags", "{}") == 400);
  CHECK(status("PATCH", "/v2/device/tags", R"({"k":5})") == 400);
}

TEST_CASE("an app with one service has the first version's routes, and shows no secrets") {
  auto v = a_view();
  auto service = service_json(1, 'a');
  service["environment"] = {{"COLOUR", "red"}, {"DB_PASSWORD", "hush"}, {"ApiKey", "hush"}};
  v.desired = std::make_shared<const desired_state>(
    desired_of(target_json("c1", release_json(3, {{"web", service}}))));
  const auto got = ask("GET", "/v1/apps/12", "", v);
  REQUIRE(got.answer);
  const auto app = json::parse(got.answer->body);
  CHECK(app["containerId"] == "id-web");
  CHECK(app["env"]["COLOUR"] == "red");
  CHECK(got.answer->body.find("hush") == std::string::npos);
  const auto stop = ask("POST", "/v1/apps/12/stop", "", v);
  REQUIRE(stop.action);
  CHECK(stop.action->service == "web");
  CHECK(stop.action->style == api_style::container_id);
}

TEST_CASE("nothing is claimed before a target or the engine is known") {
  const device_view empty;
  for (const char* path :
       {"/v1/device", "/v2/applications/state", "/v2/state/status", "/v2/containerId"}) {
    INFO(path);
    CHECK(ask("GET", path, "", empty).answer->status == 200);
  }
  CHECK(ask("POST", "/v1/restart", R"({"appId":12})", empty).answer->status == 404);
}

TEST_CASE("outcomes are told as each version of the API tells them") {
  api_action a;
  a.kind = kind::restart;
  CHECK(done_answer(a) == api_answer{200, "text/plain; charset=utf-8", "OK"});
  a.kind = kind::update;
  CHECK(done_answer(a).status == 204);
  a.kind = kind::reboot;
  a.style = api_style::data;
  CHECK(done_answer(a).status == 202);
  CHECK(json::parse(done_answer(a).body) == json{{"Data", "OK"}, {"Error", nullptr}});
  const auto locked = failed_answer(a, {messages::errc::locked, "held"});
  CHECK(locked.status == 423);
  CHECK(json::parse(locked.body) == json{{"Data", ""}, {"Error", "held"}});
  a.kind = kind::purge;
  CHECK(json::parse(done_answer(a).body) == json{{"Data", "OK"}, {"Error", ""}});
  a.kind = kind::stop_service;
  a.style = api_style::container_id;
  CHECK(json::parse(done_answer(a, "abc").body) == json{{"containerId", "abc"}});
  a.style = api_style::text;
  const auto failed = failed_answer(a, {messages::errc::io_failed, "why"});
  CHECK(failed.status == 500);
  CHECK(json::parse(failed.body) == json{{"status", "failed"}, {"message", "why"}});
}
