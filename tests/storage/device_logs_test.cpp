#include "storage/device_logs.hpp"

#include "messages/codec.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <rocksdb/env.h>

#include <fstream>
#include <iterator>
#include <set>

using namespace slipway;
using storage::log_batch;
using storage::log_extent;
using storage::log_line;

namespace {

constexpr std::int64_t now = 1'795'428'832'331;
constexpr std::int64_t hour = 3'600'000;

log_line line(std::string text, std::int64_t created = now) {
  log_line l;
  l.created_ms = created;
  l.timestamp_ms = created - 5;
  l.service = 7;
  l.is_stderr = true;
  l.message = std::move(text);
  return l;
}

/// A store in memory that can be closed and opened again.
struct memory_logs {
  std::unique_ptr<rocksdb::Env> env{rocksdb::NewMemEnv(rocksdb::Env::Default())};
  storage::log_retention retention;
  std::unique_ptr<storage::device_logs> logs;

  memory_logs() { open(); }
  explicit memory_logs(storage::log_retention r) : retention(r) { open(); }
  void open() {
    logs.reset();
    auto opened = storage::open_device_logs({"/logs", env.get(), retention, 0});
    REQUIRE(opened);
    logs = std::move(*opened);
  }
  log_extent append(std::int64_t device, std::vector<log_line> lines, bool durable = true) {
    const log_batch b{device, std::move(lines)};
    auto done = logs->append(std::span(&b, 1), durable);
    REQUIRE(done);
    return done->front();
  }
  std::vector<std::string> texts(std::int64_t device, std::uint64_t after = 0) {
    std::vector<std::string> out;
    auto expected = after;
    REQUIRE(logs->read(device, after, [&](std::uint64_t number, const log_line& l) {
      if (!out.empty()) {
        CHECK(number == expected + 1);
      }
      expected = number;
      out.push_back(l.message);
      return true;
    }));
    return out;
  }
};

}  // namespace

TEST_CASE("lines of a device come back in order and as they were", "[device_logs]") {
  memory_logs m;
  CHECK(m.append(3, {line("a"), line("b")}).last == 2);
  CHECK(m.append(4, {line("other")}).last == 1);
  CHECK(m.append(3, {line("c")}).last == 3);
  CHECK(m.texts(3) == std::vector<std::string>{"a", "b", "c"});
  CHECK(m.texts(3, 2) == std::vector<std::string>{"c"});
  CHECK(m.texts(3, 3).empty());
  CHECK(m.texts(5).empty());
  REQUIRE(m.logs->read(4, 0, [](std::uint64_t, const log_line& l) {
    CHECK(l == line("other"));
    return true;
  }));
}

TEST_CASE("two batches of one device in one append are in order", "[device_logs]") {
  memory_logs m;
  const std::vector<log_batch> both{{3, {line("a")}}, {3, {line("b")}}};
  const auto done = m.logs->append(both, false);
  REQUIRE(done);
  CHECK((*done)[1].last == 2);
  CHECK(m.texts(3) == std::vector<std::string>{"a", "b"});
}

TEST_CASE(
  "numbers of log lines go on after a restart, even when all lines are gone",
  "[device_logs]") {
  memory_logs m;
  m.append(3, {line("a", now), line("b", now)});
  m.open();
  CHECK(m.append(3, {line("c", now)}).last == 3);
  CHECK(m.texts(3) == std::vector<std::string>{"a", "b", "c"});
  const auto exists = [](std::int64_t) { return true; };
  REQUIRE(m.logs->sweep(now + 31 * 24 * hour, exists));
  CHECK(m.texts(3).empty());
  m.open();
  CHECK(m.logs->extent(3)->lines() == 0);
  CHECK(m.append(3, {line("d")}).last == 4);
  CHECK(m.texts(3) == std::vector<std::string>{"d"});
}

TEST_CASE(
  "a device keeps no more bytes and lines than its retention, the newest ones",
  "[device_logs]") {
  storage::log_retention r;
  SECTION("bytes") {
    r.bytes_max = 20'000;
  }
  SECTION("lines") {
    r.lines_max = 160;
  }
  memory_logs m(r);
  for (int i = 0; i < 100; ++i) {
    std::vector<log_line> lines;
    for (int k = 0; k < 10; ++k) {
      lines.push_back(line("line " + std::to_string(10 * i + k) + std::string(80, 'x')));
    }
    const auto at = m.append(3, std::move(lines), false);
    // One batch more than the limit, never two.
    CHECK(at.bytes <= r.bytes_max + 10 * 150);
    CHECK(at.lines() <= r.lines_max + 10);
  }
  const auto kept = m.texts(3);
  CHECK(kept.size() > 100);
  CHECK(kept.back().starts_with("line 999"));
  const auto at = *m.logs->extent(3);
  CHECK(at.lines() == kept.size());
  CHECK(at.last == 1000);
  m.open();
  CHECK(m.texts(3) == kept);
  CHECK(*m.logs->extent(3) == at);
}

TEST_CASE("trimming counts exactly what it removes", "[device_logs]") {
  storage::log_retention r;
  r.bytes_max = 5'000;
  memory_logs m(r);
  for (int i = 0; i < 300; ++i) {
    m.append(3, {line(std::string(static_cast<std::size_t>(i % 97), 'y'))}, false);
  }
  // What a store that never trimmed holds for the same lines is the sum to compare with.
  memory_logs all;
  const auto at = *m.logs->extent(3);
  std::uint64_t bytes = 0;
  REQUIRE(m.logs->read(3, 0, [&](std::uint64_t number, const log_line& l) {
    const auto one = all.append(static_cast<std::int64_t>(number), {l}, false);
    bytes += one.bytes;
    return true;
  }));
  CHECK(at.bytes == bytes);
}

TEST_CASE(
  "lines past their age go in bounded steps, and devices that are gone with all lines",
  "[device_logs]") {
  memory_logs m;
  std::vector<log_line> old;
  for (std::size_t i = 0; i < storage::log_trim_step_lines + 10; ++i) {
    old.push_back(line("old", now - 800 * hour));
  }
  m.append(1, old);
  m.append(1, {line("new")});
  m.append(2, {line("gone")});
  const auto exists = [](std::int64_t device) { return device != 2; };
  auto more = m.logs->sweep(now, exists);
  REQUIRE(more);
  CHECK_FALSE(*more);
  CHECK(m.texts(2).empty());
  CHECK(m.texts(1).size() == 11);
  REQUIRE(m.logs->sweep(now, exists));
  CHECK(m.texts(1) == std::vector<std::string>{"new"});
  CHECK(m.logs->extent(2)->last == 0);
}

TEST_CASE("a sweep comes by every device, however many there are", "[device_logs]") {
  memory_logs m;
  const auto devices = static_cast<std::int64_t>(storage::log_sweep_step_devices * 2 + 5);
  std::vector<log_batch> batches;
  for (std::int64_t d = 1; d <= devices; ++d) {
    batches.push_back({d, {line("x")}});
  }
  REQUIRE(m.logs->append(batches, false));
  std::set<std::int64_t> seen;
  const auto exists = [&](std::int64_t d) { return seen.insert(d).second; };
  CHECK(*m.logs->sweep(now, exists));
  CHECK(*m.logs->sweep(now, exists));
  CHECK_FALSE(*m.logs->sweep(now, exists));
  CHECK(seen.size() == static_cast<std::size_t>(devices));
  // The next round begins at the first again: this time nobody exists any more.
  CHECK(*m.logs->sweep(now, [](std::int64_t) { return false; }));
  CHECK(m.texts(1).empty());
}

TEST_CASE("a device that is removed leaves nothing", "[device_logs]") {
  memory_logs m;
  m.append(3, {line("a")});
  m.append(4, {line("b")});
  REQUIRE(m.logs->remove(3));
  CHECK(m.texts(3).empty());
  CHECK(m.logs->extent(3)->last == 0);
  m.open();
  CHECK(m.texts(3).empty());
  CHECK(m.texts(4) == std::vector<std::string>{"b"});
}

TEST_CASE("log lines are refused while the disk's reserve is not free", "[device_logs]") {
  const test::temp_folder folder;
  storage::device_log_options o;
  o.path = folder.path() + "/logs";
  o.reserve_bytes = ~std::uint64_t{0};
  auto logs = storage::open_device_logs(o);
  REQUIRE(logs);
  const log_batch b{3, {line("a")}};
  const auto done = (*logs)->append(std::span(&b, 1), true);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == messages::errc::disk_full);
  CHECK((*logs)->extent(3)->last == 0);
}

TEST_CASE("device logs are stored as docs/formats/device-logs.md says", "[device_logs]") {
  const auto hex = [](const std::string& bytes) {
    std::string out;
    for (const char c : bytes) {
      constexpr auto digits = "0123456789abcdef";
      out += digits[static_cast<unsigned char>(c) >> 4U];
      out += digits[static_cast<unsigned char>(c) & 15U];
    }
    return out;
  };
  std::ifstream in(std::string(SLIPWAY_SOURCE_DIR) + "/docs/formats/device-logs.md");
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const log_line l{now, now - 10, 9, false, true, "hi"};
  CHECK(page.find("\n    " + hex(messages::pack(l)) + "\n") != std::string::npos);
  const log_extent e{2, 3, 82, now};
  CHECK(page.find("`" + hex(messages::pack(e)) + "`") != std::string::npos);
}
