#include "agent/log_lines.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace slipway;
using agent::log_lines;
using agent::log_position;

namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t eight = 1'795'420'800 * second;  // 2026-11-23T08:00:00Z

struct taken {
  std::int64_t time_ns;
  bool error;
  std::string message;
  friend bool operator==(const taken&, const taken&) = default;
};

struct container {
  log_lines lines;
  std::vector<taken> got;

  explicit container(log_position from = {}) : lines(from) {}
  void feed(std::string_view bytes, bool error = false, bool begins = true) {
    lines.feed({"c", error, begins, bytes}, 42, [&](const log_lines::line& l) {
      got.push_back({l.time_ns, l.error, std::string(l.message)});
    });
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const auto& t : got) {
      out.push_back(t.message);
    }
    return out;
  }
};

std::string stamp(int n) {
  const auto digits = std::to_string(100'000'000 + n);
  return "2026-11-23T08:00:00." + digits + "Z ";
}

}  // namespace

TEST_CASE("times of engines are read to the nanosecond, with Z and with an offset", "[log_lines]") {
  const auto time = [](std::string_view line) { return agent::take_log_time(line); };
  CHECK(time("2026-11-23T08:00:00.000000001Z x") == eight + 1);
  CHECK(time("2026-11-23T08:00:00Z x") == eight);
  CHECK(time("2026-11-23T08:00:00.5Z x") == eight + second / 2);
  CHECK(time("2026-11-23T09:30:00.000000000+01:30 x") == eight);
  CHECK(time("2026-11-23T03:00:00.123456789-05:00 x") == eight + 123'456'789);
  for (const char* wrong :
       {"",
        "x",
        "2026-11-23T08:00:00Z",
        "2026-11-23 08:00:00Z x",
        "2026-11-23T08:00:00 x",
        "2026-11-23T08:00:00+1 x",
        "-026-11-23T08:00:00Z x",
        "2026-11-23T08:00:00.1234567890123456789012345678901234567890Z x"}) {
    INFO(wrong);
    std::string_view line(wrong);
    CHECK_FALSE(agent::take_log_time(line));
    CHECK(line == wrong);
  }
}

TEST_CASE("lines of stdout and stderr are put together apart", "[log_lines]") {
  container c;
  c.feed(stamp(1) + "on");
  c.feed(stamp(2) + "wrong\n", true);
  c.feed("e\n", false, false);
  c.feed(stamp(3) + "two\r\n" + stamp(4) + "\n");
  CHECK(
    c.got
    == std::vector<taken>{
      {eight + 100'000'002, true, "wrong"},
      {eight + 100'000'001, false, "one"},
      {eight + 100'000'003, false, "two"},
      {eight + 100'000'004, false, ""}});
}

TEST_CASE(
  "a long line that the engine sends in pieces is one line without their times",
  "[log_lines]") {
  container c;
  c.feed(stamp(1) + "a");
  c.feed(stamp(2) + "b");
  c.feed(stamp(3) + "c\n");
  CHECK(c.texts() == std::vector<std::string>{"abc"});
}

TEST_CASE("a line without a time has that of its arrival", "[log_lines]") {
  container c;
  c.feed("no time here\n");
  CHECK(c.got == std::vector<taken>{{42, false, "no time here"}});
}

TEST_CASE(
  "a line without end holds a bounded part of it and is cut to ten thousand characters",
  "[log_lines]") {
  container c;
  c.feed(stamp(1));
  for (int i = 0; i < 2000; ++i) {
    c.feed(std::string(1000, 'x'), false, false);
  }
  c.feed("\n" + stamp(2) + "next\n", false, false);
  REQUIRE(c.got.size() == 2);
  CHECK(c.got[0].message == std::string(agent::log_message_chars_max, 'x'));
  CHECK(c.got[1].message == "next");
  std::string wide;
  for (std::size_t i = 0; i < agent::log_message_chars_max + 1; ++i) {
    wide += "€";
  }
  CHECK(agent::cut_log_message(wide).size() == 3 * agent::log_message_chars_max);
  const std::string nonsense(100'000, '\x80');
  CHECK(agent::cut_log_message(nonsense).size() == 4 * agent::log_message_chars_max);
}

TEST_CASE(
  "what was taken before is not taken again, also among lines of the same instant",
  "[log_lines]") {
  container first;
  first.feed(stamp(1) + "a\n" + stamp(2) + "b\n" + stamp(2) + "c\n");
  const auto position = first.lines.position();
  CHECK(position == log_position{eight + 100'000'002, 2});
  container again(position);
  // The engine begins at the whole second, so what was taken comes again before what is new.
  again.feed(
    stamp(1) + "a\n" + stamp(2) + "b\n" + stamp(2) + "c\n" + stamp(2) + "d\n" + stamp(3) + "e\n");
  CHECK(again.texts() == std::vector<std::string>{"d", "e"});
  CHECK(again.lines.position() == log_position{eight + 100'000'003, 1});
}

TEST_CASE("a clock that is set back while a container is followed loses nothing", "[log_lines]") {
  container c({eight, 1});
  c.feed(stamp(5) + "a\n" + stamp(3) + "b\n");
  CHECK(c.texts() == std::vector<std::string>{"a", "b"});
}

TEST_CASE(
  "the last words of a container without a line end are taken when it has stopped",
  "[log_lines]") {
  container c;
  c.feed(stamp(1) + "panic");
  CHECK(c.got.empty());
  c.lines.finish(42, [&](const log_lines::line& l) {
    c.got.push_back({l.time_ns, l.error, std::string(l.message)});
  });
  CHECK(c.texts() == std::vector<std::string>{"panic"});
}
