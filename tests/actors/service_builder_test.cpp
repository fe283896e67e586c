#include "tests/actors/builder_fakes.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace slipway;
using namespace slipway::tests;
using messages::build_ended;
using std::chrono::seconds;

namespace {

bool called(const worker_world& w, const std::string& what) {
  const auto& all = w.engine->calls;
  return std::find(all.begin(), all.end(), what) != all.end();
}

}  // namespace

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
