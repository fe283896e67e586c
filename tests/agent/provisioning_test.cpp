#include "agent/provisioning.hpp"

#include "tests/support/agent_fakes.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::agent;
using namespace slipway::tests;
using json = nlohmann::json;

namespace {

/// A platform with one fleet, key `fleet-key`.
struct platform {
  struct device {
    std::int64_t id;
    std::set<std::string> keys;
    std::string overlay_key;
    std::string name;
  };
  std::map<std::string, device> devices;
  bool down = false;
  bool lose_answer = false;    ///< registers, then the connection breaks
  bool fleet_key_sees = true;  ///< the provisioning key may read and re-key devices
  int registrations = 0;
  std::function<void()> before_each = [] {};

  messages::result<runtime::http_reply> operator()(const runtime::http_request& r) {
    before_each();
    if (down) {
      return fake_http::down();
    }
    const auto key = header_of(r, "Authorization").substr(7);
    const auto body = json::parse(r.body.empty() ? "{}" : r.body);
    if (r.url == "http://platform/device/register") {
      return register_device(key, body);
    }
    if (r.url.find("/v7/device?") != std::string::npos) {
      for (const auto& [uuid, d] : devices) {
        if (
          r.url.find("'" + uuid + "'") != std::string::npos
          && (d.keys.contains(key) || (key == "fleet-key" && fleet_key_sees))) {
          return fake_http::reply(200, json{{"d", {{{"id", d.id}}}}}.dump());
        }
      }
      return fake_http::reply(key == "fleet-key" ? 200 : 401, R"({"d":[]})");
    }
    for (auto& [uuid, d] : devices) {
      const auto id = std::to_string(d.id);
      if (r.url == "http://platform/api-key/device/" + id + "/device-key" && key == "fleet-key") {
        d.keys.insert(body["apiKey"].get<std::string>());
        return fake_http::reply(200, "\"x\"");
      }
      if (r.url == "http://platform/v7/device(" + id + ")" && d.keys.contains(key)) {
        d.overlay_key = body.value("overlay_public_key", d.overlay_key);
        d.name = body.value("device_name", d.name);
        return fake_http::reply(200, "OK");
      }
    }
    return fake_http::reply(401, "Unauthorized");
  }

  messages::result<runtime::http_reply> register_device(const std::string& key, const json& body) {
    if (key != "fleet-key") {
      return fake_http::reply(401);
    }
    const auto uuid = body["uuid"].get<std::string>();
    if (devices.contains(uuid)) {
      return fake_http::reply(409, "\"uuid\" must be unique.");
    }
    ++registrations;
    const auto id = static_cast<std::int64_t>(devices.size() + 1) * 15;
    devices[uuid] = {id, {body["api_key"].get<std::string>()}, body["overlay_public_key"], ""};
    if (lose_answer) {
      lose_answer = false;
      return fake_http::down();
    }
    return fake_http::reply(201, json{{"id", id}, {"uuid", uuid}}.dump());
  }
};

/// A device that can be rebooted: all it keeps is in `files`.
struct device {
  memory_files files;
  platform cloud;
  std::map<std::string, runtime::curve_keys> keys;
  std::string why;

  explicit device(const json& more = json::object()) {
    json config = {
      {"apiEndpoint", "http://platform/"},
      {"apiKey", "fleet-key"},
      {"applicationId", 12},
      {"deviceType", "generic-amd64"},
      {"wifiPassword", "kept"}};
    config.update(more);
    files.content["config.json"] = config.dump();
  }
  json config() const { return json::parse(files.content.at("config.json")); }

  provisioning_outcome boot_and_attempt() {
    fake_http http;
    http.answer = [this](const runtime::http_request& r) { return cloud(r); };
    platform_api api(http, "http://platform");
    state_store store(files);
    auto loaded = device_config::load(files, "config.json");
    REQUIRE(loaded);
    auto maker = [this](const std::string& uuid) -> messages::result<runtime::curve_keys> {
      auto& pair = keys[uuid];
      pair = {"public-of-" + uuid, "secret-of-" + uuid};
      return pair;
    };
    provisioning work(*loaded, api, store, maker, {"Debian 12", "", "amd64", "AA:BB", "", ""});
    why.clear();
    return work.attempt(why);
  }
};

}  // namespace

TEST_CASE("a device joins: identity, registration, no provisioning key left, unknown keys kept") {
  device d(json::object({{"initialDeviceName", "kitchen"}}));
  REQUIRE(d.boot_and_attempt() == provisioning_outcome::done);
  const auto c = d.config();
  const auto uuid = c["uuid"].get<std::string>();
  CHECK(uuid.size() == 32);
  CHECK(c["deviceApiKey"].get<std::string>().size() == 32);
  CHECK(c["deviceId"] == 15);
  CHECK(c["registered_at"].get<std::int64_t>() > 0);
  CHECK_FALSE(c.contains("apiKey"));
  CHECK(c["wifiPassword"] == "kept");
  const auto& row = d.cloud.devices.at(uuid);
  CHECK(row.keys.contains(c["deviceApiKey"]));
  CHECK(row.overlay_key == "public-of-" + uuid);
  CHECK(row.name == "kitchen");
}

TEST_CASE("uuid, device key and overlay key are on disk before the first request") {
  device d;
  d.cloud.before_each = [&] {
    const auto c = d.config();
    CHECK(c.contains("uuid"));
    CHECK(c.contains("deviceApiKey"));
    CHECK(d.keys.contains(c["uuid"]));
    CHECK_FALSE((c.contains("deviceId") && c.contains("apiKey")));
  };
  d.cloud.down = true;
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
  d.cloud.down = false;
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
}

TEST_CASE("a full disk stops registration before anything is sent") {
  device d;
  d.files.full = true;
  d.cloud.before_each = [] { FAIL("a request was sent"); };
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
}

TEST_CASE("while the platform is down the identity stays the same") {
  device d;
  d.cloud.down = true;
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
  const auto first = d.config();
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
  CHECK(d.config() == first);
}

TEST_CASE("an answer that was lost makes no second device") {
  device d;
  d.cloud.lose_answer = true;
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
  CHECK(d.cloud.registrations == 1);
  CHECK(d.cloud.devices.size() == 1);
}

TEST_CASE("a uuid that is known is kept by exchanging keys, with a new overlay key") {
  const std::string uuid(32, 'a');
  device d(json::object({{"uuid", uuid}}));
  d.cloud.devices[uuid] = {99, {"lost-key"}, "old-overlay-key", ""};
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
  CHECK(d.config()["uuid"] == uuid);
  CHECK(d.config()["deviceId"] == 99);
  CHECK(d.cloud.devices.at(uuid).keys.contains(d.config()["deviceApiKey"]));
  CHECK(d.cloud.devices.at(uuid).overlay_key == "public-of-" + uuid);
}

TEST_CASE("a refused exchange means that the identity is taken: a new one joins") {
  const std::string uuid(32, 'a');
  device d(json::object({{"uuid", uuid}}));
  d.cloud.devices[uuid] = {99, {"somebody-else"}, "their-key", ""};
  d.cloud.fleet_key_sees = false;
  CHECK(d.boot_and_attempt() == provisioning_outcome::new_identity);
  CHECK(d.config()["uuid"] != uuid);
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
  CHECK(d.cloud.devices.at(uuid).overlay_key == "their-key");
  CHECK(d.cloud.devices.size() == 2);
}

TEST_CASE("registered without a device id: the exchange finds it") {
  const std::string uuid(32, 'b');
  device d(json::object({{"uuid", uuid}, {"deviceApiKey", "mine"}, {"registered_at", 5}}));
  d.cloud.devices[uuid] = {45, {"mine"}, "", ""};
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
  CHECK(d.config()["deviceId"] == 45);
  CHECK(d.config()["registered_at"] == 5);
}

TEST_CASE(
  "fully registered with the provisioning key still in the file: exchange, then delete it") {
  const std::string uuid(32, 'b');
  device d(json::object(
    {{"uuid", uuid}, {"deviceApiKey", "mine"}, {"registered_at", 5}, {"deviceId", 45}}));
  d.cloud.devices[uuid] = {45, {"mine"}, "", ""};
  SECTION("accepted") {
    CHECK(d.boot_and_attempt() == provisioning_outcome::done);
    CHECK_FALSE(d.config().contains("apiKey"));
  }
  SECTION("refused: a device at work keeps its identity") {
    d.cloud.devices.at(uuid).keys = {"other"};
    d.cloud.fleet_key_sees = false;
    CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
    CHECK(d.config()["uuid"] == uuid);
    CHECK(d.config()["deviceApiKey"] == "mine");
  }
}

TEST_CASE("a device registered by somebody else announces its overlay key once") {
  const std::string uuid(32, 'c');
  device d(json::object(
    {{"uuid", uuid}, {"deviceApiKey", "mine"}, {"registered_at", 5}, {"deviceId", 45}}));
  auto c = d.config();
  c.erase("apiKey");
  d.files.content["config.json"] = c.dump();
  d.cloud.devices[uuid] = {45, {"mine"}, "", ""};
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
  CHECK(d.cloud.devices.at(uuid).overlay_key == "public-of-" + uuid);
  d.cloud.before_each = [] { FAIL("asked again"); };
  CHECK(d.boot_and_attempt() == provisioning_outcome::done);
}

TEST_CASE("a fleet key that is not accepted is told, and tried again") {
  device d(json::object({{"apiKey", "wrong"}}));
  CHECK(d.boot_and_attempt() == provisioning_outcome::retry);
  CHECK(d.why.find("401") != std::string::npos);
}

TEST_CASE("config files that cannot be meant are refused with the reason") {
  for (const char* bad :
       {"",
        "[]",
        "{",
        R"({"apiEndpoint": 5})",
        R"({"uuid": "x"})",
        R"({"apiEndpoint": "http://p", "uuid": "../../etc"})",
        R"({"apiEndpoint": "http://p", "uuid": "' or 1 eq 1"})"}) {
    INFO(bad);
    memory_files files;
    files.content["config.json"] = bad;
    CHECK_FALSE(device_config::load(files, "config.json"));
  }
  memory_files none;
  CHECK(device_config::load(none, "config.json").error().code == messages::errc::not_found);
}
