#include "tests/actors/builder_fakes.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace slipway;
using namespace slipway::tests;
using messages::build_ended;
using std::chrono::seconds;

namespace {

std::vector<std::int64_t> ids(std::initializer_list<std::int64_t> all) {
  return all;
}

}  // namespace

TEST_CASE("a worker tells the core what it can do, and that it lives") {
  worker_world w;
  w.up();
  const auto joined = w.said<messages::worker_joined>();
  REQUIRE(joined.size() == 1);
  CHECK(
    joined[0]
    == messages::worker_joined{"w", {"amd64", "i386"}, 2, "fake", std::vector<std::int64_t>{}});
  w.world.advance(seconds{16});
  CHECK(w.said<messages::worker_beat>().size() == 3);
}

TEST_CASE("a success does not wait for what is left to clear up, a failure does") {
  const std::string end = "the core hears of the end";
  const std::string name = "rmi registry/v2/main:latest";
  worker_world w;
  w.up();
  w.core(order_of({"main"}));
  w.give_source(7);
  w.give_token(7, "main", "secret");
  auto& calls = w.engine->calls;
  CHECK(std::find(std::find(calls.begin(), calls.end(), end), calls.end(), name) != calls.end());
  calls.clear();
  w.engine->build_errors.push_back({errc::invalid_argument, "wrong"});
  auto again = order_of({"main"});
  again.build = 8;
  w.core(again);
  w.give_source(8);
  REQUIRE_FALSE(calls.empty());
  CHECK(calls.back() == end);
}

TEST_CASE("a source is fetched in parts, eight asked for at once") {
  worker_world w;
  w.up();
  auto order = order_of({"main"});
  constexpr std::uint64_t mebi = messages::source_part_bytes_max;
  order.source_bytes = 10 * mebi + 5;
  w.core(order);
  CHECK(w.said<messages::get_source>().size() == 8);
  w.core(messages::source_part{7, 2 * mebi, std::vector<char>(mebi)});
  CHECK(w.said<messages::get_source>().back().offset == 8 * mebi);
  w.core(messages::source_part{7, 2 * mebi, std::vector<char>(mebi)});  // once more: ignored
  CHECK(w.said<messages::get_source>().size() == 9);
  w.core(messages::source_part{7, 0, std::vector<char>(10)});  // less than asked for
  CHECK(w.said<messages::get_source>()[9].offset == 10);
  for (const std::uint64_t at : {1, 3, 4, 5, 6, 7, 8, 9}) {
    w.core(messages::source_part{7, at * mebi, std::vector<char>(mebi)});
  }
  w.core(messages::source_part{7, 10 * mebi, std::vector<char>(5)});
  CHECK(w.started == 0);
  w.core(messages::source_part{7, 10, std::vector<char>(mebi - 10)});
  CHECK(w.started == 1);
}

TEST_CASE("a source that is gone ends the build") {
  worker_world w;
  w.up();
  w.core(order_of({"main"}));
  w.core(messages::source_part{7, 0, {}});
  CHECK(w.life("main") == "cancelled ");
  REQUIRE(w.said<build_ended>().size() == 1);
  CHECK(w.said<build_ended>()[0].error == "the server does not have the source any more");
  CHECK(std::filesystem::is_empty(w.folder.path()));
}

TEST_CASE("services are built within the slots of the worker, builds in their order") {
  worker_world w;
  w.busy = true;
  w.up();
  w.core(order_of({"a", "b", "c"}));
  w.give_source(7);
  CHECK(w.started == 2);
  auto second = order_of({"d"});
  second.build = 8;
  w.core(second);
  w.give_source(8);
  CHECK(w.started == 2);
  w.core(messages::cancel_build{7});
  CHECK(w.said<build_ended>() == std::vector<build_ended>{{7, 1, "cancelled", true, false}});
  CHECK(w.life("c") == "cancelled ");
  CHECK(w.started == 3);
  w.world.advance(seconds{6});
  CHECK(w.said<messages::worker_beat>().back().builds == ids({8}));
}

TEST_CASE("an engine that goes away is no fault of the project") {
  worker_world w;
  w.up();
  w.engine->build_errors = {{errc::unavailable, "the engine went away"}};
  w.core(order_of({"a"}));
  w.give_source(7);
  REQUIRE(w.said<build_ended>().size() == 1);
  CHECK(w.said<build_ended>()[0].may_retry);
}

TEST_CASE("an engine that restarts is waited for, one that does not come is given up") {
  worker_world w;
  w.up();
  w.engine->version_errors = {{errc::unavailable, "no engine"}, {errc::unavailable, "no engine"}};
  w.core(order_of({"a"}));
  w.give_source(7);
  CHECK(w.started == 0);
  w.world.advance(seconds{3});
  CHECK(w.started == 1);
  w.engine->version_errors.assign(100, {errc::unavailable, "no engine"});
  auto second = order_of({"b"});
  second.build = 8;
  w.core(second);
  w.give_source(8);
  w.world.advance(seconds{40});
  const auto ended = w.said<build_ended>();
  REQUIRE_FALSE(ended.empty());
  CHECK(ended.back() == build_ended{8, 1, "no engine", false, true});
}

TEST_CASE("a build that takes too long or prints too much is ended") {
  worker_world w;
  w.busy = true;
  w.up();
  auto order = order_of({"a"});
  order.limits.seconds_max = 10;
  w.core(order);
  w.give_source(7);
  w.world.advance(seconds{9});
  CHECK(w.said<build_ended>().empty());
  w.world.advance(seconds{2});
  CHECK(
    w.said<build_ended>()
    == std::vector<build_ended>{{7, 1, "the build took longer than 10 seconds", false, false}});
  w.busy = false;
  auto second = order_of({"b"});
  second.build = 8;
  second.limits.output_bytes_max = 1 << 20;
  w.engine->output.assign(200, std::string(8'000, 'x') + "\n");
  w.core(second);
  w.give_source(8);
  CHECK(w.said<build_ended>().back().error == "the build printed more than 1 MiB");
  auto third = order_of({"c"});
  third.build = 9;
  third.limits.output_bytes_max = 100 << 10;
  w.core(third);
  w.give_source(9);
  CHECK(w.said<build_ended>().back().error == "the build printed more than 100 KiB");
}

TEST_CASE("a core that is away shortly changes nothing, and is told all") {
  worker_world w;
  w.busy = true;
  w.up();
  auto order = order_of({"a"});
  w.core(order);
  w.down();
  w.world.advance(seconds{10});
  w.up();
  // What was asked for is asked for again.
  CHECK(w.said<messages::worker_joined>().back().builds == ids({7}));
  CHECK(w.said<messages::get_source>().size() == 2);
  w.give_source(7);
  CHECK(w.started == 1);
  w.core(order);  // the same again
  CHECK(w.said<build_ended>().empty());
}

TEST_CASE("the last word on a build is repeated, since it may be lost with a connection") {
  worker_world w;
  w.up();
  w.core(order_of({"a"}));
  w.give_source(7);
  w.give_token(7, "a", "t");
  CHECK(w.said<build_ended>().size() == 1);
  w.down();
  w.up();
  CHECK(w.said<messages::worker_joined>().back().builds == ids({7}));
  CHECK(w.said<build_ended>().size() == 2);
  w.world.advance(seconds{30});
  w.down();
  w.up();
  CHECK(w.said<messages::worker_joined>().back().builds.empty());
}

TEST_CASE("a worker that lost its core for longer than its lease gives its builds up") {
  worker_world w;
  w.busy = true;
  w.up();
  w.core(order_of({"a"}));
  w.give_source(7);
  REQUIRE(w.engine->networks.size() == 1);
  const auto of_build = w.engine->networks[0];
  w.down();
  w.world.advance(seconds{25});
  REQUIRE(w.engine->networks.size() == 1);
  CHECK(w.engine->networks[0] != of_build);
  w.up();
  CHECK(w.said<messages::worker_joined>().back().builds.empty());
  CHECK(w.said<build_ended>().empty());
}

TEST_CASE("another attempt of a build replaces the one before") {
  worker_world w;
  w.busy = true;
  w.up();
  auto order = order_of({"a"});
  w.core(order);
  w.give_source(7);
  order.attempt = 2;
  w.core(order);
  w.give_source(7);
  CHECK(w.started == 2);
  w.core(messages::cancel_build{7});
  CHECK(w.said<build_ended>() == std::vector<build_ended>{{7, 2, "cancelled", true, false}});
}

TEST_CASE("a worker that stops gives its builds back") {
  worker_world w;
  w.busy = true;
  w.up();
  w.core(order_of({"a"}));
  w.give_source(7);
  caf::anon_send(w.worker, actors::halt_atom::value);
  w.world.run();
  CHECK(w.said<build_ended>() == std::vector<build_ended>{{7, 1, "the worker stops", false, true}});
  auto second = order_of({"b"});
  second.build = 8;
  w.core(second);
  CHECK(w.said<build_ended>().back() == build_ended{8, 1, "the worker stops", false, true});
}

TEST_CASE("a worker that stops says so before it gives its builds back") {
  worker_world w;
  w.busy = true;
  w.up();
  w.core(order_of({"a"}));
  w.give_source(7);
  w.sent.clear();
  caf::anon_send(w.worker, actors::halt_atom::value);
  w.world.run();
  REQUIRE(w.sent.size() >= 2);
  REQUIRE(w.sent.front().type == messages::worker_joined::type);
  CHECK(w.said<messages::worker_joined>().front().architectures.empty());
  CHECK(w.said<messages::worker_joined>().front().builds == ids({7}));
  CHECK(w.said<build_ended>().back().may_retry);
}

TEST_CASE("digests are told again with the last word, since both may be lost with a connection") {
  worker_world w;
  w.up();
  w.core(order_of({"main"}));
  w.give_source(7);
  w.give_token(7, "main", "secret");
  w.down();
  w.sent.clear();
  w.up();
  REQUIRE(w.said<messages::service_changed>().size() == 1);
  CHECK(w.said<messages::service_changed>()[0].service.content_hash.starts_with("sha256:"));
  CHECK(w.said<build_ended>().size() == 1);
}

TEST_CASE("parts and tokens that do not come are asked for again") {
  worker_world w;
  w.up();
  w.core(order_of({"main"}));
  CHECK(w.said<messages::get_source>().size() == 1);
  w.world.advance(std::chrono::milliseconds(actors::ask_again_ms + 1));
  w.world.advance(std::chrono::milliseconds(actors::ask_again_ms + 1));
  CHECK(w.said<messages::get_source>().size() >= 2);
  w.give_source(7);
  CHECK(w.said<messages::get_push_token>().size() == 1);
  w.world.advance(std::chrono::milliseconds(actors::ask_again_ms + 1'000));
  CHECK(w.said<messages::get_push_token>().size() == 2);
  w.give_token(7, "main", "secret");
  CHECK(w.said<build_ended>().back().error.empty());
}

TEST_CASE("a build's time begins with its first slot") {
  worker_world w(1);
  w.busy = true;
  w.up();
  auto first = order_of({"a"});
  auto second = order_of({"a"});
  second.build = 8;
  second.fleet = 66;
  first.limits.seconds_max = 100;
  second.limits.seconds_max = 20;
  w.core(first);
  w.give_source(7);
  w.core(second);
  w.give_source(8);
  w.world.advance(seconds{60});
  CHECK(w.said<build_ended>().empty());
  w.core(messages::cancel_build{7});
  w.world.advance(seconds{2});
  REQUIRE(w.said<build_ended>().size() == 1);  // the first one
  w.world.advance(seconds{22});
  CHECK(w.said<build_ended>().back().build == 8);
  CHECK(w.said<build_ended>().back().error.find("20 seconds") != std::string::npos);
}

TEST_CASE("what a worker cannot do it says") {
  worker_world w;
  w.up();
  auto order = order_of({"a"});
  order.plan.secrets = {{"", "secrets/x", "x"}};
  w.core(order);
  w.give_source(7);
  CHECK(w.engine->builds.empty());
  CHECK(w.said<build_ended>().back().error.find("balena-engine") != std::string::npos);
  CHECK_FALSE(w.said<build_ended>().back().may_retry);
  w.parts->guard_networks = []() -> messages::result<void> {
    return messages::fail(errc::io_failed, "no chain");
  };
  auto second = order_of({"a"});
  second.build = 8;
  w.core(second);
  w.give_source(8);
  CHECK(w.said<build_ended>().back().error == "network policy: no chain");
  CHECK(w.started == 1);
}

TEST_CASE("lines rewrite only lines of their own service") {
  worker_world w;
  w.busy = true;
  w.up();
  w.core(order_of({"a", "b"}));
  w.give_source(7);
  for (const auto* service : {"a", "a", "b", "a"}) {
    caf::anon_send(w.worker, actors::service_said{1, service, {{service, "10 %", true, false}}});
  }
  w.world.run();
  CHECK(w.output() == "a: 10 %\na: 10 % (again)\nb: 10 %\na: 10 %\n");
}
