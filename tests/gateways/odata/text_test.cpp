#include "gateways/api/odata/date.hpp"
#include "gateways/api/odata/json_writer.hpp"
#include "gateways/api/odata/uri.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <string>

using namespace slipway::gateways::odata;

namespace {

std::string written(std::int64_t ms) {
  std::string out;
  append_date(out, ms);
  return out;
}

}  // namespace

TEST_CASE("dates are read in the forms clients write") {
  CHECK(parse_date("1970-01-01") == 0);
  CHECK(parse_date("1970-01-01T00:00:00.001Z") == 1);
  CHECK(parse_date("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_date("1970-01-01T01:30:00+01:30") == 0);
  CHECK(parse_date("1969-12-31T23:00-01:00") == 0);
  CHECK(parse_date("1970-01-01T00:00:00.123456789Z") == 123);
  CHECK(parse_date("2024-02-29T12:00:00Z") == 1'709'208'000'000);
  for (const auto* text :
       {"",
        "x",
        "1970",
        "1970-13-01",
        "1970-00-01",
        "1970-02-29",
        "1970-01-32",
        "1970-01-01T",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00Zx",
        "19700101",
        "-970-01-01",
        "1970-01-01T00:00:00+25:00"}) {
    INFO(text);
    CHECK_FALSE(parse_date(text));
  }
}

TEST_CASE("dates are written with ms and Z, and read back the same") {
  CHECK(written(0) == "1970-01-01T00:00:00.000Z");
  CHECK(written(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(written(date_min) == "0000-01-01T00:00:00.000Z");
  CHECK(written(date_max) == "9999-12-31T23:59:59.999Z");
  CHECK(written(INT64_MAX) == written(date_max));
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> any(date_min, date_max);
  for (int i = 0; i < 10'000; ++i) {
    const auto ms = any(random);
    REQUIRE(parse_date(written(ms)) == ms);
  }
}

TEST_CASE("any bytes become a JSON string that a JSON parser reads") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2'000; ++i) {
    std::string bytes(random() % 20, '\0');
    for (auto& c : bytes) {
      c = static_cast<char>(random());
    }
    std::string out;
    append_text(out, bytes);
    const auto parsed = nlohmann::json::parse(out, nullptr, false);
    REQUIRE(parsed.is_string());
    if (out.find("\xef\xbf\xbd") == std::string::npos) {
      REQUIRE(parsed.get<std::string>() == bytes);
    }
  }
}

TEST_CASE("a query is split at its ampersands but not inside parentheses and quotes") {
  const auto options = split_query("&a=b&$expand=x($select=y&$top=1)&@p='&'&c&$f=it''s&d=(&e", 10);
  REQUIRE(options);
  using pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(
    *options
    == pairs{
      {"a", "b"},
      {"$expand", "x($select=y&$top=1)"},
      {"@p", "'&'"},
      {"c", ""},
      {"$f", "it''s"},
      {"d", "("},
      {"e", ""}});
}
