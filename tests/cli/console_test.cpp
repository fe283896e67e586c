#include "cli/console.hpp"

#include "cli/api.hpp"
#include "cli/exit_code.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace slipway;
using namespace slipway::cli;

TEST_CASE("text from servers cannot steer the terminal") {
  CHECK(printable("a\x1b[2Jb\r\n") == "a?[2Jb??");
  CHECK(printable("caf\xC3\xA9 \xC2\x9Bx") == "caf\xC3\xA9 ??x");
}

TEST_CASE("times read as people say them") {
  const std::int64_t now = parse_time("2026-11-23T10:00:00.000Z");
  CHECK(now == 1795428000000);
  CHECK(ago(0, now) == "never");
  CHECK(ago(now - 3000, now) == "just now");
  CHECK(ago(now - 61'000, now) == "1 minute ago");
  CHECK(ago(now - 7'200'000, now) == "2 hours ago");
  CHECK(ago(now + 5000, now) == "just now");
  CHECK(parse_time("yesterday") == 0);
}

TEST_CASE("a table is aligned, and has colours only when told so") {
  std::ostringstream out;
  std::ostringstream error;
  console plain(out, error, {});
  plain.table({"NAME", "STATE"}, {{"caf\xC3\xA9", "online"}, {"b", ""}}, 1);
  CHECK(out.str() == "NAME  STATE\ncaf\xC3\xA9  online\nb     -\n");

  std::ostringstream coloured;
  console::options o;
  o.colours = true;
  console(coloured, error, o).table({"S"}, {{"online"}, {"offline"}}, 0);
  CHECK(coloured.str().find("\x1b[32monline\x1b[0m") != std::string::npos);
  CHECK(coloured.str().find("\x1b[31moffline\x1b[0m") != std::string::npos);
}

TEST_CASE("an error has a hint where the user can do something") {
  std::ostringstream out;
  std::ostringstream error;
  console c(out, error, {});
  c.fail({messages::errc::unauthorized, "no"});
  CHECK(error.str().starts_with("slipway: no\nhint: log in with"));
  CHECK(out.str().empty());
}

TEST_CASE("exit codes tell scripts what kind of failure it was") {
  CHECK(exit_code_of(messages::errc::unauthorized) == 3);
  CHECK(exit_code_of(messages::errc::not_found) == 4);
  CHECK(exit_code_of(messages::errc::unavailable) == 5);
  CHECK(exit_code_of(messages::errc::unique_violated) == 6);
  CHECK(exit_code_of(messages::errc::rule_violated) == 1);
}

TEST_CASE("refusals are read in every shape the API has") {
  using messages::errc;
  CHECK(error_of_reply(400, "\"app_name must match\"").detail == "app_name must match");
  CHECK(error_of_reply(400, R"({"message": "m", "error": "e"})").detail == "m");
  CHECK(error_of_reply(400, R"({"error": {"text": "t"}})").detail == "t");
  CHECK(error_of_reply(502, "<html>").detail == "<html>");
  CHECK(error_of_reply(401, "").code == errc::unauthorized);
  CHECK(error_of_reply(409, "\"slug must be unique.\"").code == errc::unique_violated);
  CHECK(error_of_reply(409, "\"busy\"").code == errc::conflict);
  CHECK(error_of_reply(500, "\x1b[2J").detail == "?[2J");
}

TEST_CASE("queries are encoded and literals quoted") {
  CHECK(odata_text("it's") == "'it''s'");
  CHECK(
    path_of({"application", "slug eq 'a&b'", "id,slug", "", "id asc", 1})
    == "/v7/application?$filter=slug%20eq%20'a%26b'&$select=id,slug&$orderby=id%20asc&$top=1");
}

TEST_CASE("members that are missing or of another type are empty") {
  const auto row = nlohmann::json::parse(
    R"({"a": null, "b": 5, "c": [{"id": 7}], "d": {"__id": 8}, "e": "x", "f": []})");
  CHECK(text_of(row, "a").empty());
  CHECK(text_of(row, "b") == "5");
  CHECK(int_of(row, "e") == 0);
  CHECK(reference_of(row, "c") == 7);
  CHECK(reference_of(row, "d") == 8);
  CHECK(expanded(row, "f").empty());
  CHECK(expanded(row, "zz").empty());
  CHECK_FALSE(bool_of(nlohmann::json("text"), "a"));
}
