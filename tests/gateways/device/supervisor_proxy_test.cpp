#include "gateways/device/supervisor_proxy.hpp"

#include "gateways/device/supervisor_answer.hpp"
#include "messages/json.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::gateways::device;
using messages::call_outcome;
using nlohmann::json;

namespace {

supervisor_answer
answered(std::uint16_t status, std::string type, std::string body, bool logs = false) {
  return answer_of(
    {64, call_outcome::answered, {7, status, std::move(type), std::move(body)}},
    logs);
}

supervisor_answer without(call_outcome why) {
  return answer_of({64, why, {7, 0, "", ""}}, false);
}

messages::result<supervisor_proxy::request> read(const char* body) {
  return supervisor_proxy::read_request(*messages::parse_json(body));
}

}  // namespace

TEST_CASE("a device's JSON passes when it parses, its text when it could not be markup") {
  const auto ok = answered(200, "text/plain; charset=utf-8", "OK");
  CHECK(ok.status == 200);
  CHECK(ok.body == "OK");
  const auto locked = answered(423, "application/json", R"({"Data":"","Error":"locked"})");
  CHECK(locked.status == 423);
  CHECK(json::parse(locked.body)["Error"] == "locked");
  CHECK(answered(204, "", "").status == 204);
  CHECK(answered(204, "text/plain", "surplus").body.empty());
  for (const auto& bad :
       {answered(200, "application/json", "{"),
        answered(200, "application/json", std::string(5'000, '[')),
        answered(200, "text/plain", "<script>alert(1)</script>"),
        answered(200, "text/plain", "a &amp; b"),
        answered(200, "text/plain", std::string("a\0b", 3)),
        answered(200, "text/html", "OK"),
        answered(200, "image/svg+xml", "OK"),
        answered(200, "", "OK")}) {
    CHECK(bad.status == 500);
    CHECK(json::parse(bad.body).contains("error"));
  }
  CHECK(answered(302, "text/plain", "elsewhere").status == 502);
}

TEST_CASE("logs pass as text whatever they say") {
  const auto logs = answered(200, "text/plain", "<b> \x1b[0m", true);
  CHECK(logs.status == 200);
  CHECK(logs.content_type.starts_with("text/plain"));
}

TEST_CASE("every way in which a device does not answer has a status of its own") {
  const auto absent = without(call_outcome::not_connected);
  CHECK(absent.status == 404);
  CHECK(absent.body == "\"No online device(s) found\"");
  CHECK(without(call_outcome::gone).status == 502);
  CHECK(without(call_outcome::timed_out).status == 504);
  CHECK(without(call_outcome::busy).status == 429);
  CHECK(without(call_outcome::unsupported).status == 501);
  CHECK(without(call_outcome::broken).status == 500);
}

TEST_CASE("several answers are told as statusCode and body") {
  CHECK(entry_of(answered(200, "text/plain", "OK")) == json{{"statusCode", 200}, {"body", "OK"}});
  CHECK(
    entry_of(answered(200, "application/json", R"({"Data":"OK"})"))
    == json{{"statusCode", 200}, {"body", {{"Data", "OK"}}}});
  CHECK(
    entry_of(without(call_outcome::not_connected))
    == json{{"statusCode", 404}, {"body", "No online device(s) found"}});
}

TEST_CASE("a request names its devices by numbers, by numbers as text, or by uuid") {
  const auto both = read(R"({"deviceId":15,"appId":"7","data":{"appId":7}})");
  REQUIRE(both);
  CHECK(both->device == 15);
  CHECK(both->application == 7);
  CHECK(both->method == "POST");
  CHECK(both->data == R"({"appId":7})");
  const auto one = read(R"({"uuid":"abc","method":"GET"})");
  REQUIRE(one);
  CHECK(one->uuid == "abc");
  CHECK(one->method == "GET");
  CHECK(one->data.empty());
  CHECK(read(R"({"appId":7,"deviceId":null,"data":null})"));
}

TEST_CASE("a request that names no device, or is malformed, is refused") {
  for (const char* body :
       {"{}",
        "[]",
        "7",
        R"({"appId":0})",
        R"({"appId":-1})",
        R"({"appId":1.5})",
        R"({"appId":"7x"})",
        R"({"appId":""})",
        R"({"appId":[7]})",
        R"({"uuid":7})",
        R"({"uuid":""})",
        R"({"appId":7,"method":"BREW"})",
        R"({"appId":7,"method":1})",
        R"({"appId":7,"data":[]})",
        R"({"appId":7,"data":"x"})"}) {
    INFO(body);
    CHECK_FALSE(read(body));
  }
  json large{{"appId", 7}, {"data", {{"x", std::string(messages::call_body_bytes_max, 'x')}}}};
  CHECK(supervisor_proxy::read_request(large).error().code == messages::errc::too_large);
}
