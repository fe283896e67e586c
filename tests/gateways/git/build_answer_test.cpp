#include "gateways/git/build_answer.hpp"

#include <catch2/catch.hpp>

using slipway::gateways::git::build_answer;

namespace {

struct terminal {
  std::string text;
  build_answer answer{[this](std::string_view line) { text += line; }};
};

}  // namespace

TEST_CASE("a line of the builder is shown as soon as its element is there") {
  terminal t;
  REQUIRE(t.answer.feed(R"([{"type":"metadata","resource":"buildLogId","value":8},)"));
  CHECK(t.answer.release() == 8);
  REQUIRE(t.answer.feed(R"({"message": "[main] Step )"));
  CHECK(t.text.empty());
  REQUIRE(t.answer.feed("1/3 \\\"}\"}"));
  CHECK(t.text == "[main] Step 1/3 \"}\n");
  CHECK_FALSE(t.answer.ended());
  REQUIRE(t.answer.feed("]\n"));
  CHECK(t.answer.succeeded());
}

TEST_CASE("a build succeeds only if its answer ends and nothing in it is an error") {
  terminal cut;
  REQUIRE(cut.answer.feed(R"([{"message":"a"})"));
  CHECK_FALSE(cut.answer.succeeded());

  terminal failed;
  REQUIRE(failed.answer.feed(R"([{"message":"a","isError":true},{"message":"b"}])"));
  CHECK(failed.answer.ended());
  CHECK_FALSE(failed.answer.succeeded());
  CHECK(failed.text == "a\nb\n");

  terminal empty;
  REQUIRE(empty.answer.feed("[]"));
  CHECK(empty.answer.succeeded());
}

TEST_CASE("lines that are rewritten end in a carriage return until another follows") {
  terminal t;
  REQUIRE(t.answer.feed(
    R"([{"message":"pull"},{"message":"1 %","replace":true},{"message":"9 %","replace":true},{"message":"done"}])"));
  CHECK(t.text == "pull\n1 %\r9 %\r\ndone\n");
}

TEST_CASE("control characters of a build do not reach the terminal, colours do") {
  terminal t;
  REQUIRE(t.answer.feed(R"([{"message":"a\u0007b\u001b[32mc\nd\u0000\r\n"}])"));
  CHECK(t.text == "ab\x1b[32mc d\n");
}

TEST_CASE("what is no answer of a builder is refused") {
  for (const auto* text :
       {"<html>", "{}", "[1]", "[[]]", "[\"a\"]", R"([{"message":}])", "[]x", R"([{"a":1}}])"}) {
    CAPTURE(text);
    terminal t;
    CHECK_FALSE(t.answer.feed(text));
  }
  terminal endless;
  CHECK_FALSE(endless.answer.feed("[{\"message\":\"" + std::string(2 << 20, 'a')));
}
