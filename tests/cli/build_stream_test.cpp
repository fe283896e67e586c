#include "cli/build_stream.hpp"

#include "cli/build_screen.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

using namespace slipway;
using namespace slipway::cli;
using messages::errc;

namespace {

std::string word_of(const build_element& e) {
  using kind = build_element::kind;
  switch (e.what) {
    case kind::line:
      return (e.replace ? "~" : "") + std::string(e.error ? "!" : "") + e.text;
    case kind::erase:
      return "<erase>";
    case kind::up:
      return "<up " + std::to_string(e.number) + ">";
    case kind::down:
      return "<down " + std::to_string(e.number) + ">";
    case kind::release:
      break;
  }
  return "<release " + std::to_string(e.number) + ">";
}

struct reading {
  std::vector<std::string> words;
  messages::result<void> done;
  bool complete = false;
};

reading read(std::string_view text, std::size_t piece = 1000) {
  reading out;
  build_stream stream([&](const build_element& e) { out.words.push_back(word_of(e)); });
  for (std::size_t at = 0; at < text.size() && out.done; at += piece) {
    out.done = stream.feed(text.substr(at, piece));
  }
  out.complete = stream.complete();
  return out;
}

using words = std::vector<std::string>;

/// What stands on stderr after these elements.
std::string shown(std::string_view text, bool terminal, bool colours = false, int width = 80) {
  std::ostringstream out;
  std::ostringstream error;
  console c(out, error, {terminal, terminal, colours, false, width});
  build_screen screen(c);
  build_stream stream([&](const build_element& e) { screen.show(e); });
  REQUIRE(stream.feed(text));
  screen.finish();
  CHECK(out.str().empty());
  return error.str();
}

}  // namespace

TEST_CASE("a builder's answer is the same in pieces of any size") {
  constexpr std::string_view text = R"( [
    {"type":"metadata","resource":"buildLogId","value":8},
    {"message":"a \"]}[{\\","isError":false},
    {"message":"50 %","replace":true}, {"message":"bad\r\n\n","isError":true},
    {"type":"metadata","resource":"cursor","value":"erase"},
    {"type":"metadata","resource":"cursor","value":"up3"},
    {"type":"metadata","resource":"cursor","value":"down"}
  ] )";
  for (const std::size_t piece : {1, 2, 7, 1000}) {
    const auto r = read(text, piece);
    CHECK(r.done);
    CHECK(r.complete);
    CHECK(
      r.words
      == words{"<release 8>", "a \"]}[{\\", "~50 %", "!bad", "<erase>", "<up 3>", "<down 1>"});
  }
}

TEST_CASE("an element is told as soon as its last byte is there") {
  words heard;
  build_stream stream([&](const build_element& e) { heard.push_back(word_of(e)); });
  REQUIRE(stream.feed(R"([{"message":"one")"));
  CHECK(heard.empty());
  REQUIRE(stream.feed("}"));
  CHECK(heard == words{"one"});
  CHECK_FALSE(stream.complete());
}

TEST_CASE("elements of unknown kinds are left out") {
  const auto r = read(
    R"([{}, {"message":5}, {"type":"metadata"}, {"type":"metadata","resource":"x","value":1},
        {"type":"metadata","resource":"cursor","value":"left"},
        {"type":"metadata","resource":"cursor","value":"up-1"},
        {"type":"metadata","resource":"cursor","value":"up9999999999999999999999"},
        {"type":"metadata","resource":"buildLogId","value":-1},
        {"type":"metadata","resource":"buildLogId","value":18446744073709551615},
        {"type":"metadata","resource":"buildLogId","value":"12"},
        {"type":"metadata","resource":"cursor","value":"up100000"},
        {"isError":true}])");
  CHECK(r.complete);
  CHECK(r.words == words{"<release 12>", "<up 200>", "!"});
}

TEST_CASE("what is no array of objects is refused") {
  for (const auto* text : {"{}", "<html>", "[1]", "[\"a\"]", "[[]]", "[{}}", "null", "[{]"}) {
    const auto r = read(text);
    INFO(text);
    CHECK((!r.done && r.done.error().code == errc::corrupt));
  }
  CHECK_FALSE(read("[{\"message\":\"a\"},").complete);
  CHECK(read("[]").complete);
}

TEST_CASE("an element has a largest size, and memory does not grow past it") {
  build_stream stream([](const build_element&) { FAIL("there is no whole element"); });
  REQUIRE(stream.feed("[{\"message\":\""));
  const std::string much(64 * 1024, 'x');
  messages::result<void> done;
  for (int i = 0; i < 17 && done; ++i) {
    done = stream.feed(much);
  }
  REQUIRE_FALSE(done);
  CHECK(done.error().code == errc::too_large);
}

TEST_CASE("without a terminal a build is plain lines, and of rewritten ones the last") {
  CHECK(
    shown(
      R"([{"message":"a"},{"message":"1","replace":true},{"message":"2","replace":true},
          {"type":"metadata","resource":"cursor","value":"up"},{"message":"b"},
          {"message":"3","replace":true}])",
      false)
    == "a\n2\nb\n3\n");
}

TEST_CASE("on a terminal lines are rewritten in place and never longer than it") {
  CHECK(
    shown(
      R"([{"message":"1","replace":true},{"message":"2","replace":true},{"message":"b"},
          {"type":"metadata","resource":"cursor","value":"up2"},{"message":"c","replace":true},
          {"type":"metadata","resource":"cursor","value":"erase"}])",
      true)
    == "\r\x1b[2K1\r\x1b[2K2\r\x1b[2Kb\n\x1b[2A\r\r\x1b[2Kc\r\x1b[2K\n");
  const auto line = std::string(300, 'y');
  const auto text = R"([{"message":")" + line + R"(","replace":true}])";
  CHECK(shown(text, true, false, 40) == "\r\x1b[2K" + line.substr(0, 39) + "\n");
}

TEST_CASE(
  "what steers a terminal is taken out of a build's output, colours only where there are none") {
  const auto* text =
    R"([{"message":"\u001b[31mred\u001b[0m\tx\u001b[2J\u001b]0;title\u0007\u009b1m"},
        {"message":"progress 1\rprogress 2\r\nnext","isError":true}])";
  CHECK(shown(text, false) == "red x?]0;title???1m\nprogress 2\nnext\n");
  CHECK(
    shown(text, true, true)
    == "\x1b[31mred\x1b[0m x?]0;title???1m\x1b[0m\n"
       "\x1b[31mprogress 2\x1b[0m\n\x1b[31mnext\x1b[0m\n");
}
