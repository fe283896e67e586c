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

bool called(const worker_world& w, const std::string& what) {
  const auto& all = w.engine->calls;
  return std::find(all.begin(), all.end(), what) != all.end();
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

TEST_CASE("a service is built, tagged, pushed and told") {
  worker_world w;
  w.up();
  auto order = order_of({"main"});
  order.plan.services[0].dockerignore = "src\nDockerfile\n";
  order.plan.services[0].dockerignore_folder = "app";
  order.plan.services[0].context = "app";
  order.plan.services[0].args = {{"A", "b"}};
  order.limits.memory_bytes_max = 1 << 20;
  w.core(order);
  CHECK(w.said<messages::get_source>() == std::vector<messages::get_source>{{7, 0}});
  w.give_source(7);
  CHECK(w.engine->networks.size() == 1);
  CHECK(w.guards == 1);
  REQUIRE(w.engine->builds.size() == 1);
  const auto& build = w.engine->builds[0];
  CHECK(build.network_mode == w.engine->networks[0]);
  CHECK(build.network_mode.starts_with("slipway-build-0a1b2c3d-"));
  CHECK(build.platform.empty());
  CHECK(build.build_args == runtime::label_map{{"A", "b"}});
  CHECK(build.memory_bytes_max == 1 << 20);
  CHECK(w.engine->context == std::vector<std::string>{"app|Dockerfile=FROM busybox\n"});
  CHECK(w.said<messages::get_push_token>().size() == 1);
  w.give_token(7, "main", "secret");
  CHECK(w.engine->tokens == std::vector<std::string>{"secret"});
  CHECK(w.life("main") == "building built pushing success ");
  const auto last = w.said<messages::service_changed>().back().service;
  CHECK(last.content_hash == "sha256:of-registry/v2/main:latest");
  CHECK(last.image_bytes == 1'000);
  CHECK(last.cached);
  CHECK(last.build_log == "Step 1/1 : FROM busybox\n ---> 12ab\n");
  CHECK(w.output() == "main: Step 1/1 : FROM busybox\nmain:  ---> 12ab\n");
  CHECK(w.said<build_ended>() == std::vector<build_ended>{{7, 1, "", false, false}});
  // Only the cache stays, and a network for the next build.
  REQUIRE(w.engine->networks.size() == 1);
  CHECK(w.engine->networks[0] != build.network_mode);
  CHECK(w.engine->images.size() == 1);
  CHECK(w.engine->images.begin()->first.starts_with("slipway.build/65/"));
  CHECK(std::filesystem::is_empty(w.folder.path()));
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

TEST_CASE("a service that fails ends the build, and its fault is the project's") {
  worker_world w;
  w.up();
  w.engine->build_errors = {{errc::io_failed, "returned a non-zero code: 9"}};
  w.core(order_of({"a", "b"}));
  w.give_source(7);
  CHECK(w.life("a") == "building failed ");
  CHECK(w.life("b").ends_with("cancelled "));
  CHECK(w.output().find("a: returned a non-zero code: 9 (!)") != std::string::npos);
  CHECK(
    w.said<build_ended>()
    == std::vector<build_ended>{{7, 1, "a: returned a non-zero code: 9", false, false}});
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

TEST_CASE("a push is tried three times, each with a new token") {
  worker_world w;
  w.up();
  w.engine->push_errors = {{errc::io_failed, "reset"}, {errc::io_failed, "reset"}};
  w.core(order_of({"a"}));
  w.give_source(7);
  w.give_token(7, "a", "one");
  w.world.advance(seconds{3});
  w.give_token(7, "a", "two");
  w.give_token(7, "a", "nobody asked for it");
  w.world.advance(seconds{5});
  w.give_token(7, "a", "three");
  CHECK(w.engine->tokens == std::vector<std::string>{"one", "two", "three"});
  CHECK(w.said<build_ended>() == std::vector<build_ended>{{7, 1, "", false, false}});
}

TEST_CASE("a push that is refused is not tried again, and neither is its build") {
  for (const auto& why :
       {messages::error{errc::unauthorized, "denied: no space left"},
        messages::error{errc::invalid_argument, "lookup registry: no such host"},
        messages::error{errc::not_found, "name unknown"}}) {
    worker_world w;
    w.up();
    w.engine->push_errors = {why};
    w.core(order_of({"a"}));
    w.give_source(7);
    w.give_token(7, "a", "t");
    CHECK(w.engine->tokens.size() == 1);
    CHECK(
      w.said<build_ended>() == std::vector<build_ended>{{7, 1, "a: " + why.detail, false, false}});
  }
  worker_world w;
  w.up();
  w.core(order_of({"b"}));
  w.give_source(7);
  w.give_token(7, "b", "");
  CHECK(w.said<build_ended>().back().error == "b: the server gave no right to push the image");
  CHECK_FALSE(w.said<build_ended>().back().may_retry);
}

TEST_CASE("a push that keeps failing gives the build back") {
  worker_world w;
  w.up();
  w.engine->push_errors.assign(3, {errc::io_failed, "connection refused"});
  w.core(order_of({"a"}));
  w.give_source(7);
  for (int i = 0; i < 3; ++i) {
    w.give_token(7, "a", "t");
    w.world.advance(seconds{5});
  }
  CHECK(w.engine->tokens.size() == 3);
  CHECK(
    w.said<build_ended>()
    == std::vector<build_ended>{{7, 1, "a: connection refused", false, true}});
}

TEST_CASE("the image before is fetched as cache where the engine has none") {
  worker_world w;
  w.up();
  auto order = order_of({"a"});
  order.images[0].previous = "registry/v2/old@sha256:1";
  w.core(order);
  w.give_source(7);
  CHECK(w.engine->builds.empty());
  w.give_token(7, "a", "to pull");
  CHECK(called(w, "pull registry/v2/old@sha256:1 "));
  REQUIRE(w.engine->builds.size() == 1);
  CHECK(w.engine->builds[0].cache_from == std::vector<std::string>{"registry/v2/old@sha256:1"});
  w.give_token(7, "a", "to push");
  CHECK(w.said<build_ended>().size() == 1);
  order.build = 8;
  w.core(order);
  w.give_source(8);
  REQUIRE(w.engine->builds.size() == 2);
  CHECK(w.engine->builds[1].cache_from.empty());
  w.give_token(8, "a", "to push");
  // The image that was the cache until now goes with its name.
  CHECK(called(w, "rmi image-2"));
}

TEST_CASE("podman, which takes no image as cache, is given none") {
  worker_world w;
  w.up();
  w.engine->version.podman = true;
  auto order = order_of({"a"});
  order.images[0].previous = "registry/v2/old@sha256:1";
  w.core(order);
  w.give_source(7);
  REQUIRE(w.engine->builds.size() == 1);
  CHECK(w.engine->builds[0].cache_from.empty());
  CHECK_FALSE(called(w, "pull registry/v2/old@sha256:1 "));
}

TEST_CASE("an image service is pulled with the registry's secret and pushed") {
  worker_world w;
  w.up();
  auto order = order_of({"db"});
  order.plan.services[0].image = "registry.example.org/db:1";
  order.plan.registries = {{"registry.example.org", "ann", "pw"}, {"docker.io", "bob", "pw"}};
  w.core(order);
  w.give_source(7);
  CHECK(called(w, "pull registry.example.org/db:1 ann"));
  w.give_token(7, "db", "t");
  CHECK(called(w, "push registry/v2/db:latest"));
  CHECK(w.said<build_ended>().back().error.empty());
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

TEST_CASE("balena-engine mounts build secrets from private files, which go with the build") {
  worker_world w;
  w.up();
  w.engine->version.balena = true;
  auto order = order_of({"a"});
  order.plan.secrets = {
    {"", ".balena/secrets/x", "x"},
    {"", ".balena/secrets/all", "deep/er/y"},
    {"a", ".balena/secrets/own", "x"},
    {"b", ".balena/secrets/others", "z"}};
  w.core(order);
  w.give_source(7);
  REQUIRE(w.engine->builds.size() == 1);
  const auto& request = w.engine->builds[0];
  REQUIRE(request.volumes.size() == 1);
  CHECK(request.volumes[0].starts_with(w.secrets.path() + "/"));
  CHECK(request.volumes[0].ends_with(":/run/secrets:ro"));
  CHECK(request.secrets.empty());
  CHECK(
    w.engine->seen
    == std::map<std::string, std::string>{
      {"x", "60 of .balena/secrets/own"},
      {"deep", "70 "},
      {"deep/er", "70 "},
      {"deep/er/y", "60 of .balena/secrets/all"}});
  CHECK(
    w.engine->context
    == std::vector<std::string>{"|Dockerfile|src|src/a.o|Dockerfile=FROM busybox\n"});
  CHECK(std::filesystem::is_empty(w.secrets.path()));
}

TEST_CASE("podman gets build secrets beside the context, and each step names them") {
  worker_world w;
  w.up();
  w.engine->version.podman = true;
  auto order = order_of({"a"});
  order.plan.services[0].dockerfile_text = "FROM busybox\nRUN make\n";
  order.plan.secrets = {{"", ".balena/secrets/x", "x"}, {"a", ".balena/secrets/y", "deep/y"}};
  w.core(order);
  w.give_source(7);
  REQUIRE(w.engine->builds.size() == 1);
  const auto& request = w.engine->builds[0];
  CHECK(request.volumes.empty());
  REQUIRE(request.secrets.size() == 2);
  const auto source = request.secrets[0].substr(request.secrets[0].find("src=") + 4);
  CHECK(source.find('/') == std::string::npos);
  CHECK(request.secrets[0].starts_with("id=slipway0,"));
  CHECK(w.engine->context[0].find(source + "=of .balena/secrets/y") != std::string::npos);
  CHECK(
    w.engine->context[0].find(
      "Dockerfile=FROM busybox\nRUN --mount=type=secret,id=slipway0,target=/run/secrets/deep/y "
      "--mount=type=secret,id=slipway1,target=/run/secrets/x make\n")
    != std::string::npos);
  CHECK(std::filesystem::is_empty(w.secrets.path()));
  // What it cannot be told is the project's fault.
  order.build = 8;
  order.plan.secrets = {{"", ".balena/secrets/x", "a,b"}};
  w.core(order);
  w.give_source(8);
  CHECK(w.said<build_ended>().back().error.find("a,b") != std::string::npos);
  CHECK_FALSE(w.said<build_ended>().back().may_retry);
}

TEST_CASE("build secrets that cannot be had end the build and leave nothing") {
  worker_world w;
  w.up();
  w.engine->version.balena = true;
  auto order = order_of({"a"});
  order.plan.secrets = {{"", ".balena/secrets/x", "x"}, {"", ".balena/secrets/missing", "y"}};
  w.core(order);
  w.give_source(7);
  CHECK(w.engine->builds.empty());
  CHECK(
    w.said<build_ended>().back()
    == build_ended{7, 1, "a: .balena/secrets/missing is not in the project", false, false});
  CHECK(std::filesystem::is_empty(w.secrets.path()));
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

TEST_CASE("the engine trusts the registry before anything is pushed to it") {
  worker_world w;
  w.up();
  auto order = order_of({"a"});
  order.plain_http = false;
  order.registry_ca = "PEM";
  w.core(order);
  w.give_source(7);
  CHECK(w.trusted == std::vector<std::string>{"registry"});
}

TEST_CASE("a worker keeps the newest images as cache") {
  worker_world w;
  fake_engine engine(w.engine);
  w.engine->images = {
    {"slipway.build/1/a:amd64", "image-1"},
    {"slipway.build/1/b:amd64", "image-3"},
    {"slipway.build/2/a:amd64", "image-2"},
    {"busybox:1", "image-0"}};
  actors::trim_cache(engine, 1);
  CHECK(w.engine->images.size() == 2);
  CHECK(w.engine->images.contains("slipway.build/1/b:amd64"));
}
