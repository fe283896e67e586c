#include "messages/codec.hpp"

#include "messages/command.hpp"
#include "messages/event.hpp"
#include "messages/json.hpp"

#include <catch2/catch.hpp>

using namespace slipway::messages;

namespace {

struct old_note {
  std::string text = "none";
  SLIPWAY_FIELDS(text)
};

struct new_note {
  std::string text = "none";
  std::int64_t priority = 3;
  SLIPWAY_FIELDS(text, priority)
};

commit example() {
  commit c;
  c.entity = {entity_kind::device, 129};
  c.expected_version = 7;
  c.time = 1795428832331;
  c.events.push_back(
    {event_type::row_changed,
     12,
     129,
     {{3, std::string("idle")},
      {4, null{}},
      {5, true},
      {6, 2.5},
      {9, 2.0},
      {10, -0.0},
      {7, json_text{"{}"}},
      {8, std::int64_t{-1}}}});
  return c;
}

}  // namespace

TEST_CASE("a commit survives packing and unpacking, each kind of value as it was") {
  const auto c = example();
  REQUIRE(unpack<commit>(pack(c)) == c);
}

TEST_CASE("a new reader gives members that an old writer did not know their default") {
  const auto note = unpack<new_note>(pack(old_note{"disk"}));
  REQUIRE(note);
  CHECK(note->text == "disk");
  CHECK(note->priority == 3);
}

TEST_CASE("an old reader skips members that it does not know") {
  const auto note = unpack<old_note>(pack(new_note{"disk", 1}));
  REQUIRE(note);
  CHECK(note->text == "disk");
}

TEST_CASE("no cut of a message decodes, and none crashes") {
  const auto bytes = pack(example());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    INFO("first " << n << " bytes");
    const auto r = unpack<commit>(std::string_view(bytes).substr(0, n));
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::corrupt);
  }
}

TEST_CASE("a length that the input cannot hold is refused without allocating") {
  CHECK_FALSE(unpack<commit>(std::string_view("\xdd\xff\xff\xff\xff", 5)));
  CHECK_FALSE(unpack<old_note>(std::string_view("\x91\xdb\xff\xff\xff\xff", 6)));
}

TEST_CASE("nesting deeper than the limit is refused") {
  CHECK_FALSE(unpack<old_note>(std::string(10'000, '\x91')));
}

TEST_CASE("member names come from the one list") {
  CHECK(new_note::field_names()[1] == "priority");
  CHECK(dump_json(new_note{"disk", 1}) == R"({"priority":1,"text":"disk"})");
  CHECK(nlohmann::json::parse(R"({"text":"x","more":[1]})").get<new_note>().priority == 3);
}

TEST_CASE("JSON nested past the limit is malformed, not a crash") {
  CHECK_FALSE(parse_json(std::string(100'000, '[')));
  CHECK(parse_json("[[1]]"));
}
