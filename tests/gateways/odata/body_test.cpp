#include "gateways/api/odata/body.hpp"

#include "domain/resource_model.hpp"
#include "messages/json.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace slipway;
using gateways::odata::parse_body;
using messages::field_value;
using messages::value;
using nlohmann::json;
using namespace std::string_literals;

namespace {

const domain::resource_def& resource(std::string_view name) {
  return domain::resource_model()->at(name);
}

value only(std::string_view of, const json& body) {
  const auto values = parse_body(resource(of), body);
  INFO((values ? "" : values.error().detail));
  REQUIRE(values);
  REQUIRE(values->size() == 1);
  return values->front().value;
}

std::string error_of(std::string_view of, const json& body) {
  const auto values = parse_body(resource(of), body);
  return values ? "" : values.error().detail;
}

}  // namespace

TEST_CASE("members are converted to what rows hold") {
  CHECK(only("device", {{"device_name", "x"}}) == value{"x"s});
  CHECK(only("device", {{"note", nullptr}}) == value{});
  CHECK(only("device", {{"memory_usage", 7}}) == value{7L});
  CHECK(only("device", {{"memory_usage", 7.0}}) == value{7L});
  CHECK(only("device", {{"memory_usage", "7"}}) == value{7L});
  CHECK(only("device", {{"is_web_accessible", true}}) == value{true});
  CHECK(only("device", {{"is_web_accessible", 0}}) == value{false});
  CHECK(only("device", {{"belongs_to__application", 7}}) == value{7L});
  CHECK(only("device", {{"belongs_to__application", {{"__id", 7}}}}) == value{7L});
  CHECK(only("device", {{"is_pinned_on__release", nullptr}}) == value{});
  CHECK(only("release", {{"end_timestamp", 1'795'428'832'331}}) == value{1'795'428'832'331L});
  CHECK(
    only("release", {{"end_timestamp", "2026-01-01T01:00:00.5+01:00"}})
    == value{1'767'225'600'500L});
  CHECK(only("image", {{"image_size", "12345678901"}}) == value{12'345'678'901L});
  CHECK(only("release", {{"composition", {{"a", 1}}}}) == value{messages::json_text{R"({"a":1})"}});
  CHECK(
    only("release", {{"composition", R"({ "a" : 1 })"}})
    == value{messages::json_text{R"({"a":1})"}});
}

TEST_CASE("aliases of a field are its names too") {
  const auto values =
    parse_body(resource("release_image"), {{"contains__image", 10}, {"release", 8}, {"image", 10}});
  REQUIRE(values);
  CHECK(values->size() == 2);
  CHECK(
    error_of("release_image", {{"contains__image", 10}, {"image", 11}})
    == "\"image\" is given twice, with different values.");
}

TEST_CASE("unknown, hidden and read-only members are ignored as long as one other remains") {
  const auto values = parse_body(
    resource("user"),
    {{"username", "u"}, {"password", "p"}, {"id", 9}, {"is_administrator", true}, {"foo", 1}});
  REQUIRE(values);
  REQUIRE(values->size() == 1);
  CHECK(values->front().field == resource("user").field("username"));
  CHECK(error_of("user", {{"foo", 1}}) == "the body sets no field of user");
  CHECK(error_of("user", {{"password", "x"}}) == "the body sets no field of user");
  CHECK(error_of("user", {{"id", 1}}) == "the body sets no field of user");
  CHECK(error_of("user", json::object()) == "the body sets no field of user");
  CHECK(error_of("device", {{"overall_status", "idle"}}) == "the body sets no field of device");
}

TEST_CASE("a computed field that clients may send is handed to the rules") {
  CHECK(only("release", {{"semver", "1.2.3"}}) == value{"1.2.3"s});
  CHECK(only("release", {{"is_final", false}}) == value{false});
}

TEST_CASE("values of the wrong type are refused by name") {
  const std::vector<std::pair<json, const char*>> cases{
    {{{"device_name", 7}}, "\"device_name\" must be a text."},
    {{{"device_name", "a\0b"s}}, "\"device_name\" must be a text without NUL."},
    {{{"memory_usage", "x"}}, "\"memory_usage\" must be an integer."},
    {{{"memory_usage", 1.5}}, "\"memory_usage\" must be an integer."},
    {{{"memory_usage", 18'446'744'073'709'551'615ULL}}, "\"memory_usage\" must be an integer."},
    {{{"memory_usage", json::array()}}, "\"memory_usage\" must be an integer."},
    {{{"is_web_accessible", "yes"}}, "\"is_web_accessible\" must be true or false."},
    {{{"is_locked_until__date", "soon"}},
     "\"is_locked_until__date\" must be a date: ISO 8601 text or milliseconds since 1970."},
    {{{"is_locked_until__date", 9e15}},
     "\"is_locked_until__date\" must be a date: ISO 8601 text or milliseconds since 1970."},
    {{{"belongs_to__application", "f"}},
     "\"belongs_to__application\" must be the id of a application."},
    {{{"belongs_to__application", nullptr}}, "\"belongs_to__application\" is required."},
    {{{"local_id", std::string(256, 'x')}}, "\"local_id\" must not be longer than 255 bytes."},
  };
  for (const auto& [body, expected] : cases) {
    CHECK(error_of("device", body) == expected);
  }
  CHECK(
    error_of("application", {{"is_of__class", "ship"}})
    == "\"is_of__class\" must be one of `fleet`, `block`, `app`.");
  CHECK(error_of("release", {{"composition", "{"}}) == "\"composition\" must be JSON.");
  CHECK(error_of("device", json::array()) == "the body must be a JSON object");
  CHECK(error_of("device", "x") == "the body must be a JSON object");
}
