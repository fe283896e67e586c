#include "agent/posix/log_queue.hpp"

#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <fstream>

using namespace slipway;
using agent::log_position;
using agent::log_queue;
namespace fs = std::filesystem;

namespace {

struct queue_on_disk {
  test::temp_folder folder;
  log_queue::options o;
  std::unique_ptr<log_queue> queue;

  explicit queue_on_disk(std::uint64_t bytes_max = 1U << 20U, std::uint64_t segment = 200) {
    o.folder = fs::path(folder.path()) / "logs";
    o.bytes_max = bytes_max;
    o.segment_bytes = segment;
    open();
  }
  void open() {
    queue.reset();
    auto opened = log_queue::open(o);
    REQUIRE(opened);
    queue = std::move(*opened);
  }
  void append(const std::string& line, std::int64_t time = 1) {
    REQUIRE(queue->append(line + "\n", {{"c", {time, 1}}}));
  }
  /// Takes everything out.
  std::string drain(std::size_t bytes = 1000) {
    std::string all;
    for (;;) {
      const auto p = queue->peek(bytes);
      REQUIRE(p);
      if (p->text.empty()) {
        return all;
      }
      all += p->text;
      REQUIRE(queue->drop(*p));
    }
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(o.folder), fs::directory_iterator()));
  }
};

std::string numbered(int from, int to) {
  std::string all;
  for (int i = from; i < to; ++i) {
    all += "line " + std::to_string(i) + "\n";
  }
  return all;
}

}  // namespace

TEST_CASE("records leave the queue in order, over segments and restarts", "[log_queue]") {
  queue_on_disk q;
  for (int i = 0; i < 100; ++i) {
    q.append("line " + std::to_string(i), i);
    if (i % 7 == 0) {
      q.open();
    }
  }
  CHECK(q.queue->positions().at("c") == log_position{99, 1});
  const auto p = q.queue->peek(50);
  REQUIRE(p);
  CHECK(p->text == numbered(0, 7));
  CHECK(p->lines == 7);
  REQUIRE(q.queue->drop(*p));
  q.open();
  CHECK(q.drain(50) == numbered(7, 100));
  // Two states and the last segment.
  CHECK(q.files() == 3);
  q.open();
  CHECK(q.drain().empty());
  q.append("more");
  CHECK(q.drain() == "more\n");
}

TEST_CASE("what is not dropped is seen again", "[log_queue]") {
  queue_on_disk q;
  q.append("a");
  REQUIRE(q.queue->peek(1000));
  q.append("b");
  CHECK(q.queue->peek(1000)->text == "a\nb\n");
}

TEST_CASE("a full queue drops its oldest records and counts them", "[log_queue]") {
  queue_on_disk q(1000, 200);
  for (int i = 0; i < 300; ++i) {
    q.append("line " + std::to_string(100 + i));
  }
  q.open();
  const auto p = q.queue->peek(100'000);
  REQUIRE(p);
  CHECK(p->lost > 100);
  const auto first = p->text.substr(0, p->text.find('\n'));
  CHECK(first == "line " + std::to_string(100 + p->lost));
  REQUIRE(q.queue->drop(*p));
  const auto next = q.queue->peek(100'000);
  REQUIRE(next);
  CHECK(next->lost == 0);
  std::uint64_t bytes = 0;
  for (const auto& f : fs::directory_iterator(q.o.folder)) {
    bytes += fs::file_size(f);
  }
  CHECK(bytes < 3000);
}

TEST_CASE(
  "records that were under way when they had to make room are not lost after all",
  "[log_queue]") {
  queue_on_disk q(1000, 200);
  for (int i = 0; i < 20; ++i) {
    q.append("line " + std::to_string(100 + i));
  }
  const auto shipped = q.queue->peek(100'000);
  REQUIRE(shipped);
  for (int i = 20; i < 150; ++i) {
    q.append("line " + std::to_string(100 + i));
  }
  const auto before = q.queue->peek(10)->lost;
  REQUIRE(q.queue->drop(*shipped));
  CHECK(q.queue->peek(10)->lost == before - shipped->lines);
}

TEST_CASE("records whose state was not written never were", "[log_queue]") {
  queue_on_disk q;
  q.append("kept", 5);
  // As if the agent had died between the records and the state.
  std::ofstream(q.o.folder / "1.log", std::ios::app) << "half a rec";
  q.open();
  CHECK(q.queue->positions().at("c").time_ns == 5);
  q.append("next", 6);
  CHECK(q.drain() == "kept\nnext\n");
}

TEST_CASE("a damaged state falls back to the one before it", "[log_queue]") {
  queue_on_disk q;
  q.append("a", 1);
  q.append("b", 2);
  const auto newest = fs::exists(q.o.folder / "state.a") ? "state.a" : "state.b";
  std::ofstream(q.o.folder / newest, std::ios::trunc) << "{\"version\":99}\n0123456789abcdef\n";
  q.open();
  const auto time = q.queue->positions().at("c").time_ns;
  CHECK((time == 1 || time == 2));
  CHECK(q.drain() == (time == 1 ? "a\n" : "a\nb\n"));
}

TEST_CASE("a queue that cannot be read at all begins anew", "[log_queue]") {
  queue_on_disk q;
  q.append("a");
  for (const char* name : {"state.a", "state.b"}) {
    std::ofstream(q.o.folder / name, std::ios::trunc) << "\0nonsense";
  }
  q.open();
  CHECK(q.queue->positions().empty());
  CHECK(q.drain().empty());
  q.append("b");
  CHECK(q.drain() == "b\n");
}

TEST_CASE("a cleared queue is empty and goes on", "[log_queue]") {
  queue_on_disk q;
  q.append("a");
  REQUIRE(q.queue->clear());
  CHECK(q.drain().empty());
  q.append("b");
  q.open();
  CHECK(q.drain() == "b\n");
}

TEST_CASE("a queue that cannot be written says so and keeps what it had", "[log_queue]") {
  queue_on_disk q;
  q.append("a", 1);
  std::error_code ignored;
  fs::rename(q.o.folder, q.o.folder.string() + "-gone", ignored);
  CHECK_FALSE(q.queue->append("b\n", {{"c", {2, 1}}}));
  fs::rename(q.o.folder.string() + "-gone", q.o.folder, ignored);
  CHECK(q.queue->positions().at("c").time_ns == 1);
  q.append("c", 3);
  CHECK(q.drain() == "a\nc\n");
}
