#include "gateways/device/addresses.hpp"
#include "gateways/device/config_json.hpp"
#include "gateways/device/config_variables.hpp"
#include "gateways/device/device_type_json.hpp"

#include <catch2/catch.hpp>

using namespace slipway::gateways::device;
using nlohmann::json;
using slipway::messages::errc;

namespace {

constexpr std::int64_t now = 1'790'000'000'000;

json given(json more) {
  json members{{"appId", 7}, {"version", "6.0.0"}};
  members.update(more);
  return members;
}

config_request accepted(json more) {
  const auto r = parse_config_request(given(std::move(more)), now);
  REQUIRE(r);
  return *r;
}

std::string refused(json more) {
  const auto r = parse_config_request(given(std::move(more)), now);
  REQUIRE(!r);
  CHECK(r.error().code == errc::invalid_argument);
  return r.error().detail;
}

}  // namespace

TEST_CASE("the other hosts of an installation are named beside its API") {
  CHECK(sibling_url("https://api.example.org", "delta") == "https://delta.example.org");
  CHECK(sibling_url("http://api.example.org:8080", "delta") == "http://delta.example.org:8080");
  CHECK(sibling_url("http://127.0.0.1:8080", "delta") == "http://127.0.0.1:8080");
  CHECK(sibling_host("https://api.example.org:8443", "cloudlink") == "cloudlink.example.org");
  CHECK(sibling_host("http://[::1]:8080", "cloudlink") == "[::1]");
  CHECK(sibling_host("https://example.org/base", "cloudlink") == "example.org");
  CHECK(logs_url("https://api.example.org") == "https://logs.example.org");
  CHECK(logs_url("http://api.example.org").empty());
  CHECK(logs_url("https://example.org").empty());
}

TEST_CASE("numbers and switches of a configuration request may be texts") {
  CHECK(accepted({{"appId", "12"}}).application == 12);
  CHECK(accepted({{"appUpdatePollInterval", "15"}}).poll_ms == 900'000);
  CHECK(accepted({{"appUpdatePollInterval", 0}}).poll_ms == 60'000);
  CHECK(accepted({{"developmentMode", "on"}}).development);
  CHECK(accepted({{"version", "2.95.0+rev1.dev"}}).development);
  CHECK(!accepted({{"version", "2.95.0+rev1"}}).development);
  CHECK(accepted({{"secureboot", 1}}).secure_boot);
  CHECK(!accepted({{"secureBoot", true}}).secure_boot);
}

TEST_CASE("a Wi-Fi network needs its name, a fixed address all its parts") {
  CHECK(accepted({{"wifiSsid", "net"}}).wifi);
  CHECK(!accepted({{"network", "ethernet"}, {"wifiSsid", "net"}}).wifi);
  CHECK(refused({{"network", "wifi"}}).find("wifiSsid") != std::string::npos);
  CHECK(
    refused({{"ip", "10.0.0.2"}, {"netmask", "255.0.0.0"}}).find("gateway") != std::string::npos);
  for (const auto* wrong :
       {"10.0.0", "10.0.0.256", "10.0.0.1.2", "a.b.c.d", "10..0.1", "0x1.0.0.1", "10.0.0.1 "}) {
    CHECK(
      refused({{"ip", wrong}, {"netmask", "255.0.0.0"}, {"gateway", "10.0.0.1"}}).find("ip")
      != std::string::npos);
  }
}

TEST_CASE("a text of a configuration request cannot add lines to a file") {
  for (const auto* name : {"wifiSsid", "wifiKey", "version", "deviceType", "provisioningKeyName"}) {
    refused({{name, "a\nb"}});
    refused({{name, std::string("a\0b", 3)}});
    refused({{name, std::string(2000, 'a')}});
    refused({{name, json::array()}});
  }
}

TEST_CASE("a provisioning key's end is a date to come") {
  CHECK(
    accepted({{"provisioningKeyExpiryDate", "2999-01-01T00:00:00.000Z"}}).key_expires
    == 32'472'144'000'000);
  CHECK(accepted({{"provisioningKeyExpiryDate", ""}}).key_expires == 0);
  refused({{"provisioningKeyExpiryDate", "2001-01-01"}});
  refused({{"provisioningKeyExpiryDate", "soon"}});
}

TEST_CASE(
  "a configuration holds what was asked, what the server knows and what the type asks for") {
  const auto members =
    given({{"network", "wifi"}, {"wifiSsid", "net"}, {"panelSide", "left"}, {"apiKey", "mine"}});
  const auto request = parse_config_request(members, now);
  REQUIRE(request);
  config_facts facts;
  facts.key = "key";
  facts.root_ca = "PEM";
  facts.logs_url = "https://logs.example.org";
  const auto out =
    config_json(*request, facts, members, {"network", "wifiSsid", "panelSide", "apiKey"});
  CHECK(out["panelSide"] == "left");
  CHECK(out["apiKey"] == "key");
  CHECK(out["balenaRootCA"] == "UEVN");
  CHECK(out["logsEndpoint"] == "https://logs.example.org");
  CHECK(!out.contains("network"));
}

TEST_CASE("a device type whose contract has any shape still has all members that clients read") {
  for (
    const auto* contract :
    {"",
     "[]",
     "7",
     "{",
     R"({"data":7})",
     R"({"data":{"yocto":[],"options":[{"isGroup":true,"name":"g","message":"m","options":[7]}]}})"}) {
    device_type_facts facts;
    facts.slug = "panel";
    facts.contract = contract;
    const auto t = device_type_json(facts);
    CHECK(t["yocto"]["machine"] == "panel");
    CHECK(t["options"].size() >= 2);
    CHECK(
      question_names(t)
      == std::vector<std::string>{"network", "wifiSsid", "wifiKey", "appUpdatePollInterval"});
  }
}

TEST_CASE("variables of a boot loader are told for the device types that have it") {
  const auto names = [](std::string_view type) {
    return config_variables(type)["configVarSchema"]["properties"];
  };
  CHECK(names("raspberrypi3").contains("RESIN_HOST_CONFIG_gpu_mem"));
  CHECK(!names("jetson-nano").contains("RESIN_HOST_CONFIG_gpu_mem"));
  CHECK(names("").size() > names("raspberrypi3").size());
  CHECK(names("unknown").contains("RESIN_SUPERVISOR_POLL_INTERVAL"));
}
