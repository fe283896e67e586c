#include "gateways/device/log_records.hpp"

#include "gateways/device/log_limiter.hpp"
#include "messages/json.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::gateways::device;
using messages::errc;
using nlohmann::json;

namespace {

constexpr std::int64_t now = 1'795'428'832'331;

std::vector<std::string> split(
  log_line_splitter& s,
  std::initializer_list<std::string_view> parts) {
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (const auto part : parts) {
    s.feed(part, take);
  }
  s.finish(take);
  return lines;
}

}  // namespace

TEST_CASE("a log record is taken as devices write it", "[log_records]") {
  const auto whole = parse_log_record(
    R"({"message":"hä","timestamp":17,"isSystem":true,"isStdErr":true,"serviceId":9,"more":1})",
    now);
  REQUIRE(whole);
  REQUIRE(*whole);
  CHECK(**whole == storage::log_line{now, 17, 9, true, true, "hä"});
  const auto least = parse_log_record(R"({"message":"","timestamp":17.0,"serviceId":null})", now);
  REQUIRE(least);
  CHECK(**least == storage::log_line{now, 17, 0, false, false, ""});
}

TEST_CASE("a log record that is wrong is refused, one with a uuid is dropped", "[log_records]") {
  for (const char* wrong :
       {"",
        "[]",
        "nul",
        "{",
        R"({"timestamp":1})",
        R"({"message":"x"})",
        R"({"message":1,"timestamp":1})",
        R"({"message":"x","timestamp":"1"})",
        R"({"message":"x","timestamp":-1})",
        R"({"message":"x","timestamp":1.5})",
        R"({"message":"x","timestamp":1e300})",
        R"({"message":"x","timestamp":18446744073709551615})",
        R"({"message":"x","timestamp":1,"isSystem":1})",
        R"({"message":"x","timestamp":1,"serviceId":"9"})",
        R"({"message":"x","timestamp":1,"is_system":true})",
        R"({"message":"x","timestamp":1,"is_stderr":true})",
        R"({"message":"x","timestamp":1,"image_id":3})",
        "{\"message\":\"\xff\",\"timestamp\":1}"}) {
    INFO(wrong);
    const auto parsed = parse_log_record(wrong, now);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == errc::invalid_argument);
  }
  const auto dropped = parse_log_record(R"({"message":"x","timestamp":1,"uuid":"a"})", now);
  REQUIRE(dropped);
  CHECK_FALSE(dropped->has_value());
}

TEST_CASE("a message that is too long is cut between characters", "[log_records]") {
  for (std::size_t shift = 0; shift < 3; ++shift) {
    std::string text(shift, 'a');
    while (text.size() < log_message_bytes_max + 10) {
      text += "€";
    }
    const auto parsed =
      parse_log_record(messages::dump_json({{"message", text}, {"timestamp", 1}}), now);
    REQUIRE(parsed);
    const auto& kept = (**parsed).message;
    CHECK(kept.size() <= log_message_bytes_max);
    CHECK(kept.size() > log_message_bytes_max - 3);
    CHECK(text.starts_with(kept));
    CHECK((kept.size() - shift) % 3 == 0);
  }
}

TEST_CASE("a batch has at most ten records and is taken whole or not at all", "[log_records]") {
  auto batch = json::array();
  for (int i = 0; i < 10; ++i) {
    batch.push_back({{"message", std::to_string(i)}, {"timestamp", i}});
  }
  CHECK(parse_log_batch(batch.dump(), now)->size() == 10);
  batch.push_back({{"message", "x"}, {"timestamp", 1}});
  CHECK_FALSE(parse_log_batch(batch.dump(), now));
  CHECK(parse_log_batch("[]", now)->empty());
  CHECK_FALSE(parse_log_batch("{}", now));
  CHECK_FALSE(parse_log_batch(R"([{"message":"x","timestamp":1},{"message":"x"}])", now));
  const auto one = parse_log_batch(
    R"([{"message":"x","timestamp":1,"uuid":"a"},{"message":"y","timestamp":1}])",
    now);
  REQUIRE(one);
  REQUIRE(one->size() == 1);
  CHECK(one->front().message == "y");
}

TEST_CASE("what is written of a record is read back the same, whatever it says", "[log_records]") {
  const storage::log_line line{now, 17, 9, false, true, "a\"b\\\n\t\x01 \u2028 ü"};
  std::string out;
  append_log_record(out, line);
  CHECK(out.find('\n') == std::string::npos);
  const auto j = json::parse(out);
  CHECK(j.at("message") == line.message);
  CHECK(j.at("timestamp") == 17);
  CHECK(j.at("createdAt") == now);
  CHECK(j.at("isSystem") == false);
  CHECK(j.at("isStdErr") == true);
  CHECK(j.at("serviceId") == 9);
  out.clear();
  append_log_record(out, {now, 17, 0, true, false, ""});
  CHECK_FALSE(json::parse(out).contains("serviceId"));
}

TEST_CASE("lines are cut from a stream wherever its pieces end", "[log_records]") {
  log_line_splitter s;
  CHECK(
    split(s, {"a", "b\n", "\n  \r\nc\nd", "", "e\n"}) == std::vector<std::string>{"ab", "c", "de"});
  CHECK(split(s, {"no end"}) == std::vector<std::string>{"no end"});
  CHECK(s.skipped() == 0);
}

TEST_CASE("a line that is too long is stepped over and holds no memory", "[log_records]") {
  log_line_splitter s;
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  const std::string piece(log_record_bytes_max / 2, 'x');
  s.feed("first\n", take);
  for (int i = 0; i < 9; ++i) {
    s.feed(piece, take);
  }
  s.feed("\nlast\n", take);
  CHECK(lines == std::vector<std::string>{"first", "last"});
  CHECK(s.skipped() == 1);
}

TEST_CASE("a reader's query says how much history and whether to go on", "[log_records]") {
  CHECK(parse_log_query("")->count == log_history_lines_default);
  CHECK_FALSE(parse_log_query("")->stream);
  CHECK(parse_log_query("stream=1")->count == 0);
  CHECK(parse_log_query("stream=1")->stream);
  CHECK(parse_log_query("stream=1&count=100")->count == 100);
  CHECK_FALSE(parse_log_query("count=all")->count);
  CHECK_FALSE(parse_log_query("stream=1&start=17")->count);
  CHECK(parse_log_query("start=17")->start_ms == 17);
  CHECK(parse_log_query("start=2026-01-01T00:00:00.000Z")->start_ms == 1'767'225'600'000);
  for (const char* wrong : {"count=x", "count=-1", "count=1.5", "start=x", "start=-1"}) {
    INFO(wrong);
    CHECK_FALSE(parse_log_query(wrong));
  }
}

TEST_CASE(
  "a device posts fifteen batches in ten seconds and is told when to go on",
  "[log_records]") {
  log_limiter limiter;
  for (int i = 0; i < log_limiter::batches_max; ++i) {
    CHECK(limiter.take(7, 1000) == 0);
  }
  CHECK(limiter.take(7, 4000) == 7000);
  CHECK(limiter.take(8, 4000) == 0);
  CHECK(limiter.take(7, 11'000) == 0);
}

TEST_CASE("a stream past its rate is read later", "[log_records]") {
  log_rate rate(0);
  CHECK(rate.take(log_rate::burst, 0) == 0);
  const auto wait = rate.take(log_rate::rate, 0);
  CHECK(wait >= 1000);
  CHECK(wait <= 1001);
  CHECK(rate.take(0, wait) == 0);
  // Standing still earns no more than one burst.
  CHECK(rate.take(log_rate::burst, 1'000'000) == 0);
  CHECK(rate.take(1, 1'000'000) > 0);
}
