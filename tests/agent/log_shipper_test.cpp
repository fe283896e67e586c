#include "agent/log_collector.hpp"
#include "agent/log_uploader.hpp"
#include "agent/posix/log_queue.hpp"
#include "messages/json.hpp"
#include "tests/support/actor_world.hpp"
#include "tests/support/temp_folder.hpp"

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <deque>

using namespace slipway;
using namespace std::chrono_literals;
using agent::log_source;
using nlohmann::json;
using tests::actor_world;

namespace {

constexpr std::int64_t wall = 1'795'420'800'000;  // 2026-11-23T08:00:00Z

/// Containers that print what the test says.
struct fake_output : agent::log_output_port {
  struct print {
    std::string container;
    std::string bytes;
    bool error = false;
  };
  std::vector<log_source> present;
  std::map<std::string, std::pair<std::int64_t, int>> open_from;
  std::deque<print> prints;
  std::vector<std::string> stopped;
  bool down = false;
  int looks = 0;

  messages::result<std::vector<log_source>> sources() override {
    ++looks;
    if (down) {
      return messages::fail(messages::errc::unavailable, "no engine");
    }
    return present;
  }
  messages::result<void> open(const log_source& s, std::int64_t since, int tail) override {
    open_from[s.container] = {since, tail};
    return {};
  }
  void close(const std::string& container) override { open_from.erase(container); }
  std::vector<std::string> run(
    std::chrono::milliseconds,
    std::size_t,
    const std::function<void(const agent::log_bytes&)>& take) override {
    while (!prints.empty()) {
      const auto p = std::move(prints.front());
      prints.pop_front();
      take({p.container, p.error, true, p.bytes});
    }
    for (const auto& id : stopped) {
      open_from.erase(id);
    }
    return std::exchange(stopped, {});
  }
  void cancel() override {}

  void
  line(const std::string& text, int ms, const std::string& container = "c", bool error = false) {
    const auto part = std::to_string(1000 + ms).substr(1);
    prints.push_back({container, "2026-11-23T08:00:00." + part + "000000Z " + text + "\n", error});
  }
};

struct fake_platform : agent::http_port {
  std::vector<std::string> bodies;
  std::vector<std::string> urls;
  std::function<messages::result<runtime::http_reply>()> answer;

  static runtime::http_reply reply(int status) {
    runtime::http_reply r;
    r.status = status;
    return r;
  }
  fake_platform() {
    answer = [] { return reply(201); };
  }
  messages::result<runtime::http_reply> send(const runtime::http_request& r) override {
    bodies.push_back(r.body);
    urls.push_back(r.url);
    return answer();
  }
  void cancel() override {}
};

struct shipper {
  actor_world world;
  test::temp_folder folder;
  std::unique_ptr<agent::log_queue> queue;
  fake_output output;
  fake_platform http;
  agent::platform_api api{http, "http://platform"};
  caf::actor uploader;
  caf::actor collector;

  shipper() {
    output.present = {{"c", 9, "2026-11-23T07:00:00Z", false}};
    start();
  }
  ~shipper() { stop(); }

  void start(std::uint64_t bytes_max = 1U << 20U) {
    agent::log_queue::options o;
    o.folder = folder.path();
    o.bytes_max = bytes_max;
    o.segment_bytes = 1000;
    auto opened = agent::log_queue::open(o);
    REQUIRE(opened);
    queue = std::move(*opened);
    const auto now = [this] { return world.now(); };
    const auto wall_ms = [this] { return wall + world.now().count(); };
    uploader = world.system().spawn(
      agent::log_uploader,
      &api,
      queue.get(),
      agent::log_uploader_settings{"uuid", "key"},
      agent::log_uploader_links{now, wall_ms});
    collector = world.system().spawn(
      agent::log_collector,
      &output,
      queue.get(),
      agent::log_collector_links{uploader, now, wall_ms});
  }
  void stop() {
    caf::anon_send_exit(collector, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(uploader, caf::exit_reason::user_shutdown);
    world.run();
    collector = uploader = nullptr;
  }
  /// All records that the platform was sent.
  std::vector<json> sent() {
    std::vector<json> out;
    for (const auto& body : http.bodies) {
      std::string_view rest = body;
      while (!rest.empty()) {
        const auto end = rest.find('\n');
        REQUIRE(end != std::string_view::npos);
        out.push_back(json::parse(rest.substr(0, end)));
        rest.remove_prefix(end + 1);
      }
    }
    return out;
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out;
    for (const auto& r : sent()) {
      out.push_back(r.at("message"));
    }
    return out;
  }
};

}  // namespace

TEST_CASE(
  "what containers print reaches the platform with service, stream and time",
  "[log_shipper]") {
  shipper s;
  s.output.line("hello", 1);
  s.output.line("oh no", 2, "c", true);
  s.world.advance(2s);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0] == json{{"message", "hello"}, {"timestamp", wall + 1}, {"serviceId", 9}});
  CHECK(
    sent[1]
    == json{{"message", "oh no"}, {"timestamp", wall + 2}, {"serviceId", 9}, {"isStdErr", true}});
  CHECK(s.http.urls[0] == "http://platform/device/v2/uuid/log-stream");
}

TEST_CASE("what the agent says of itself is a system record in the same order", "[log_shipper]") {
  shipper s;
  caf::anon_send(s.collector, agent::log_say{"Starting service web", 9, false});
  caf::anon_send(s.collector, agent::log_say{"Could not start service web: x", 9, true});
  s.world.advance(2s);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].at("isSystem") == true);
  CHECK_FALSE(sent[0].contains("isStdErr"));
  CHECK(sent[1].at("isStdErr") == true);
  CHECK(sent[1].at("serviceId") == 9);
}

TEST_CASE("an agent that starts again neither loses nor repeats lines", "[log_shipper]") {
  shipper s;
  s.output.line("one", 1);
  s.output.line("two", 2);
  s.world.advance(3s);
  s.stop();
  s.start();
  s.world.advance(1s);
  // The engine begins at the whole second.
  CHECK(s.output.open_from.at("c").first == wall / 1000);
  s.output.line("one", 1);
  s.output.line("two", 2);
  s.output.line("three", 2);
  s.world.advance(3s);
  CHECK(s.texts() == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE(
  "lines wait in the queue while the platform is away and come in order after",
  "[log_shipper]") {
  shipper s;
  s.http.answer = [] { return messages::fail(messages::errc::unavailable, "no network"); };
  for (int i = 0; i < 20; ++i) {
    s.output.line("line " + std::to_string(i), i);
    s.world.advance(1s);
  }
  // 5 s, 10 s, 20 s: few tries, each with what was oldest.
  CHECK(s.http.bodies.size() <= 4);
  s.http.bodies.clear();
  s.http.answer = [] { return fake_platform::reply(201); };
  s.stop();
  s.start();
  s.world.advance(60s);
  const auto texts = s.texts();
  REQUIRE(texts.size() == 20);
  CHECK(texts.front() == "line 0");
  CHECK(texts.back() == "line 19");
}

TEST_CASE("a platform that is busy is left alone for as long as it says", "[log_shipper]") {
  shipper s;
  s.http.answer = [] {
    auto r = fake_platform::reply(429);
    r.headers.emplace_back("retry-after", "30");
    return r;
  };
  s.output.line("x", 1);
  s.world.advance(20s);
  CHECK(s.http.bodies.size() == 1);
  s.world.advance(15s);
  CHECK(s.http.bodies.size() == 2);
}

TEST_CASE(
  "records that the platform calls malformed do not hold up the others for ever",
  "[log_shipper]") {
  shipper s;
  s.http.answer = [] { return fake_platform::reply(400); };
  s.output.line("bad", 1);
  s.world.advance(60s);
  CHECK(s.http.bodies.size() == agent::log_refusals_max);
  s.http.bodies.clear();
  s.http.answer = [] { return fake_platform::reply(201); };
  s.output.line("good", 2);
  s.world.advance(5s);
  CHECK(s.texts() == std::vector<std::string>{"good"});
}

TEST_CASE("lines that had to go are told in one record", "[log_shipper]") {
  shipper s;
  s.stop();
  s.start(3000);
  s.http.answer = [] { return messages::fail(messages::errc::unavailable, "no network"); };
  for (int i = 0; i < 200; ++i) {
    s.output.line("line " + std::to_string(i), i);
    s.world.advance(100ms);
  }
  s.http.bodies.clear();
  s.http.answer = [] { return fake_platform::reply(201); };
  s.world.advance(400s);
  const auto sent = s.sent();
  REQUIRE(sent.size() > 2);
  const auto lost = std::stoul(sent[0].at("message").get<std::string>());
  CHECK(sent[0].at("isSystem") == true);
  CHECK(sent[1].at("message") == "line " + std::to_string(lost));
  CHECK(sent.back().at("message") == "line 199");
  CHECK(sent.size() == 201 - lost);
}

TEST_CASE(
  "a container that ran again is followed again, and one that went is forgotten",
  "[log_shipper]") {
  shipper s;
  s.output.line("first run", 1);
  s.world.advance(1s);
  s.output.stopped = {"c"};
  s.world.advance(5s);
  CHECK_FALSE(s.output.open_from.contains("c"));
  s.output.present[0].started = "2026-11-23T08:00:05Z";
  s.world.advance(3s);
  CHECK(s.output.open_from.contains("c"));
  s.output.line("second run", 9);
  s.world.advance(3s);
  CHECK(s.texts() == std::vector<std::string>{"first run", "second run"});
  s.output.stopped = {"c"};
  s.output.present.clear();
  s.world.advance(5s);
  caf::anon_send(s.collector, agent::log_say{"x", 0, false});
  s.world.advance(2s);
  CHECK(s.queue->positions().empty());
}

TEST_CASE("of a container that is new to the agent a bounded past is taken", "[log_shipper]") {
  shipper s;
  s.world.advance(1s);
  CHECK(s.output.open_from.at("c") == std::pair<std::int64_t, int>(0, agent::log_first_lines_max));
}

TEST_CASE("a container that was never started is not followed", "[log_shipper]") {
  shipper s;
  s.output.present.push_back({"d", 3, "0001-01-01T00:00:00Z", false});
  s.world.advance(3s);
  CHECK_FALSE(s.output.open_from.contains("d"));
}

TEST_CASE("with logs switched off nothing is read, kept or sent, nor later", "[log_shipper]") {
  shipper s;
  s.world.advance(1s);
  caf::anon_send(s.collector, agent::log_control{false});
  caf::anon_send(s.uploader, agent::log_control{false});
  s.world.run();
  CHECK(s.output.open_from.empty());
  s.output.line("secret", 1);
  caf::anon_send(s.collector, agent::log_say{"secret", 0, false});
  s.world.advance(10s);
  CHECK(s.http.bodies.empty());
  CHECK(s.queue->peek(1000)->text.empty());
  caf::anon_send(s.collector, agent::log_control{true});
  caf::anon_send(s.uploader, agent::log_control{true});
  s.world.advance(10s);
  // From now on only: what was printed meanwhile stays where it is.
  CHECK(s.output.open_from.at("c").first > wall / 1000);
  CHECK(s.http.bodies.empty());
}

TEST_CASE("an engine that is down is asked ever more seldom", "[log_shipper]") {
  shipper s;
  s.output.down = true;
  s.world.advance(1s);
  s.output.looks = 0;
  s.world.advance(120s);
  CHECK(s.output.looks < 8);
  s.output.down = false;
  s.world.advance(60s);
  CHECK(s.output.open_from.contains("c"));
}

TEST_CASE("bytes that are no text become records that the platform takes", "[log_shipper]") {
  shipper s;
  s.output.line(std::string(60'000, '\xff'), 1);
  s.output.line(std::string(20'000, '\x01'), 2);
  s.world.advance(2s);
  const auto sent = s.sent();
  REQUIRE(sent.size() == 2);
  for (const auto& r : sent) {
    CHECK(r.dump().size() < 64U * 1024);
  }
}
