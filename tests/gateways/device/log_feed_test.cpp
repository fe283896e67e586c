#include "gateways/device/log_feed.hpp"

#include "messages/json.hpp"

#include <catch2/catch.hpp>
#include <rocksdb/env.h>

#include <random>

using namespace slipway;
using namespace slipway::gateways::device;
using nlohmann::json;
using storage::log_line;

namespace {

constexpr std::int64_t now = 1'795'428'832'331;

/// A device that writes numbered lines into a store in memory, and its tail.
struct device {
  std::unique_ptr<rocksdb::Env> env{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  std::shared_ptr<storage::device_logs> logs;
  std::shared_ptr<log_tail> tail;
  std::int64_t clock = now;
  std::uint64_t written = 0;

  explicit device(storage::log_retention r = {}) {
    auto opened = storage::open_device_logs({"/logs", env.get(), r, 0});
    REQUIRE(opened);
    logs = std::move(*opened);
    tail = std::make_shared<log_tail>(logs, 7);
  }
  void write(std::uint64_t lines) {
    storage::log_batch b{7, {}};
    for (std::uint64_t i = 0; i < lines; ++i) {
      ++written;
      b.lines.push_back(
        {clock, static_cast<std::int64_t>(written), 0, false, false, std::to_string(written)});
    }
    auto done = logs->append(std::span(&b, 1), false);
    REQUIRE(done);
    tail->advance(done->front().last);
    tail->wake_all();
  }
};

/// What a reader has received.
struct reader {
  device& d;
  log_feed feed;
  std::vector<std::int64_t> lines;
  std::vector<std::string> warnings;
  int heartbeats = 0;

  reader(device& from, std::uint64_t after, log_feed_limits limits = {}, std::int64_t start = 0)
    : d(from), feed(from.tail, after, start, from.clock, limits) {}

  /// One piece; false when there is none.
  bool step() {
    auto text = feed.next(d.clock);
    REQUIRE(text);
    if (!*text) {
      return false;
    }
    if (**text == "\n") {
      ++heartbeats;
      return true;
    }
    std::string_view rest = **text;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      REQUIRE(end != std::string_view::npos);
      const auto j = json::parse(rest.substr(0, end));
      if (j.at("isSystem") == true) {
        warnings.push_back(j.at("message"));
      } else {
        lines.push_back(j.at("timestamp"));
      }
      rest.remove_prefix(end + 1);
    }
    return true;
  }
  void drain() {
    while (step()) {
    }
  }
  /// Every line from `first` to `last`, each once and in order.
  void expect(std::int64_t first, std::int64_t last) const {
    REQUIRE(lines.size() == static_cast<std::size_t>(last - first + 1));
    for (std::size_t i = 0; i < lines.size(); ++i) {
      REQUIRE(lines[i] == first + static_cast<std::int64_t>(i));
    }
  }
};

}  // namespace

TEST_CASE(
  "history goes over into live lines without a gap and without a line twice",
  "[log_feed]") {
  device d;
  log_feed_limits limits;
  limits.piece_bytes = 700;  // a handful of lines
  d.write(50);
  reader r(d, 10, limits);
  REQUIRE(r.step());
  CHECK(r.feed.in_history());
  d.write(30);  // while history is being read
  REQUIRE(r.step());
  d.write(5);
  r.drain();
  CHECK_FALSE(r.feed.in_history());
  d.write(1);
  r.drain();
  r.expect(11, 86);
  CHECK(r.warnings.empty());
}

TEST_CASE(
  "readers that come at any time get every line after their beginning, in any order of events",
  "[log_feed]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  device d;
  log_feed_limits limits;
  limits.piece_bytes = 500;
  std::vector<std::pair<std::uint64_t, reader>> readers;
  for (int i = 0; i < 400; ++i) {
    switch (random() % 3) {
      case 0:
        d.write(1 + random() % 20);
        break;
      case 1:
        if (readers.size() < 8) {
          const auto after = d.written == 0 ? 0 : random() % d.written;
          readers.emplace_back(after, reader(d, after, limits));
        }
        break;
      default:
        if (!readers.empty()) {
          (void)readers[random() % readers.size()].second.step();
        }
    }
  }
  for (auto& [after, r] : readers) {
    r.drain();
    r.expect(static_cast<std::int64_t>(after + 1), static_cast<std::int64_t>(d.written));
    CHECK(r.warnings.empty());
  }
}

TEST_CASE("readers at the end of a log share what is read of it", "[log_feed]") {
  device d;
  d.write(3);
  reader a(d, 3);
  reader b(d, 3);
  d.write(2);
  const auto first = a.feed.next(now);
  const auto second = b.feed.next(now);
  REQUIRE((first && *first && second && *second));
  CHECK(first->get() == second->get());
}

TEST_CASE("a reader that is too slow loses lines and is told how many", "[log_feed]") {
  device d;
  log_feed_limits limits;
  limits.lag_lines_max = 50;
  limits.lag_lines_kept = 5;
  d.write(10);
  reader r(d, 0, limits);
  r.drain();
  d.write(200);
  r.drain();
  REQUIRE(r.warnings.size() == 1);
  CHECK(r.warnings[0].starts_with("Warning: 195 log lines were left out"));
  REQUIRE(r.lines.size() == 15);
  CHECK(r.lines[9] == 10);
  CHECK(r.lines[10] == 206);
  CHECK(r.lines.back() == 210);
}

TEST_CASE("a reader is told of lines that retention took before it came to them", "[log_feed]") {
  storage::log_retention little;
  little.lines_max = 100;
  device d(little);
  d.write(50);
  reader r(d, 50);
  for (int i = 0; i < 30; ++i) {
    d.write(10);
  }
  r.drain();
  REQUIRE(r.warnings.size() == 1);
  const auto lost = r.lines.front() - 51;
  CHECK(lost > 100);
  CHECK(r.warnings[0].starts_with("Warning: " + std::to_string(lost) + " log lines"));
  CHECK(r.lines.back() == 350);
}

TEST_CASE("a blank line goes out after 58 quiet seconds and not before", "[log_feed]") {
  device d;
  reader r(d, 0);
  CHECK_FALSE(r.step());
  d.clock = now + 57'999;
  CHECK_FALSE(r.step());
  d.clock = now + 58'000;
  CHECK(r.step());
  CHECK(r.heartbeats == 1);
  CHECK_FALSE(r.step());
  // A line counts as a sign of life too.
  d.clock = now + 100'000;
  d.write(1);
  r.drain();
  d.clock = now + 157'999;
  CHECK_FALSE(r.step());
  d.clock = now + 158'000;
  CHECK(r.step());
  CHECK(r.heartbeats == 2);
  for (int minute = 0; minute < 60; ++minute) {
    d.clock += 60'000;
    r.drain();
  }
  CHECK(r.heartbeats == 62);
}

TEST_CASE("history begins at the time that a reader names", "[log_feed]") {
  device d;
  d.write(20);
  reader r(d, 0, {}, 15);
  r.drain();
  r.expect(15, 20);
  d.write(1);
  r.drain();
  r.expect(15, 21);
}

TEST_CASE("followers of a tail are called while they live and forgotten after", "[log_feed]") {
  device d;
  int calls = 0;
  auto wake = std::make_shared<log_tail::waker>([&calls] { ++calls; });
  d.tail->add(wake);
  CHECK(d.tail->followers() == 1);
  d.write(1);
  CHECK(calls == 1);
  wake.reset();
  d.write(1);
  CHECK(calls == 1);
  CHECK(d.tail->followers() == 0);
}
