#include "runtime/container_engine.hpp"
#include "tests/support/engine_fixture.hpp"
#include "tests/support/tar.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace slipway;
using messages::errc;
using nlohmann::json;
using runtime::container_engine;

namespace {

#ifdef SLIPWAY_TEST_PODMAN
constexpr auto engine_kind = test::engine_fixture::kind::podman;
#else
constexpr auto engine_kind = test::engine_fixture::kind::dockerd;
#endif
constexpr bool podman = engine_kind == test::engine_fixture::kind::podman;

test::engine_fixture& engine() {
  static test::engine_fixture one(engine_kind);
  return one;
}

/// Name and label of all that these tests make.
const std::string prefix = "slipway-engine-test";
const std::string label = "io.slipway.test=engine";

json container_config(const std::string& command) {
  return {
    {"Image", test::engine_fixture::base_image},
    {"Cmd", {"/bin/sh", "-c", command}},
    {"Labels", {{"io.slipway.test", "engine"}}},
    // podman would raise the limit on processes, which needs CAP_SYS_RESOURCE.
    {"HostConfig",
     {{"NetworkMode", "none"},
      {"Ulimits", {{{"Name", "nproc"}, {"Soft", 1024}, {"Hard", 1024}}}}}}};
}

/// Removes what a failed test left.
struct cleaner {
  cleaner() { clean(); }
  ~cleaner() { clean(); }
  static void clean() {
    auto e = engine().client();
    const auto containers = e.containers({label}).value();
    for (const auto& c : containers) {
      (void)e.remove_container(c.id, true, true);
    }
    const auto networks = e.networks({label}).value();
    for (const auto& n : networks) {
      (void)e.remove_network(n.id);
    }
    const auto volumes = e.volumes({label}).value();
    for (const auto& v : volumes) {
      (void)e.remove_volume(v.name, true);
    }
  }
};

template <class T>
T must(messages::result<T> r) {
  INFO((r ? "" : r.error().detail));
  REQUIRE(r.has_value());
  if constexpr (!std::is_void_v<T>) {
    return std::move(*r);
  }
}

template <class T>
errc code(const messages::result<T>& r) {
  REQUIRE(!r.has_value());
  INFO(r.error().detail);
  CHECK(!r.error().detail.empty());
  return r.error().code;
}

}  // namespace

TEST_CASE("an engine says what it is") {
  auto e = engine().client();
  must(e.ping());
  const auto v = must(e.version());
  CHECK(v.podman == podman);
  CHECK(v.os == "linux");
  CHECK(!v.arch.empty());
  CHECK(v.api_version.starts_with("1."));
  CHECK(must(e.disk_usage()).images >= 1);
}

TEST_CASE("a container lives its whole life") {
  const cleaner clean;
  auto e = engine().client();
  const auto id = must(e.create_container(
    prefix + "-life",
    container_config("trap 'exit 7' TERM; while :; do sleep 1; done")));
  auto listed = must(e.containers({label}));
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].id == id);
  CHECK(listed[0].name == prefix + "-life");
  CHECK(listed[0].state == "created");
  CHECK(listed[0].labels.at("io.slipway.test") == "engine");
  CHECK(listed[0].image_id.starts_with("sha256:"));
  CHECK(must(e.containers({label}, false)).empty());
  CHECK(must(e.containers({"io.slipway.test=other"})).empty());

  must(e.start_container(id));
  must(e.start_container(id));  // runs already
  CHECK(must(e.inspect_container(prefix + "-life")).at("State").at("Running") == true);
  CHECK(must(e.containers({label}, false)).at(0).state == "running");
  CHECK(code(e.create_container(prefix + "-life", container_config("true"))) == errc::conflict);
  must(e.rename_container(id, prefix + "-renamed"));
  CHECK(must(e.containers({label})).at(0).name == prefix + "-renamed");
  must(e.stop_container(id, std::chrono::seconds(20)));
  must(e.stop_container(id, std::chrono::seconds(20)));  // stands already
  CHECK(must(e.inspect_container(id)).at("State").at("ExitCode") == 7);
  must(e.remove_container(id));
  CHECK(must(e.containers({label})).empty());
  CHECK(code(e.inspect_container(id)) == errc::not_found);
  CHECK(code(e.start_container(id)) == errc::not_found);
  CHECK(code(e.remove_container(id)) == errc::not_found);
}

TEST_CASE("a container without its image is not found, and a broken one is refused") {
  const cleaner clean;
  auto e = engine().client();
  auto config = container_config("true");
  config["Image"] = "slipway-test/never-made:1";
  CHECK(code(e.create_container(prefix + "-none", config)) == errc::not_found);
  config = container_config("true");
  config["HostConfig"]["NetworkMode"] = "slipway-no-such-network";
  const auto created = e.create_container(prefix + "-net", config);
  CHECK((!created || !e.start_container(*created)));
  CHECK(code(e.inspect_container("no such/../name?")) != errc::unavailable);
}

TEST_CASE("exit status and logs of a container are read") {
  const cleaner clean;
  auto e = engine().client();
  const auto id =
    must(e.create_container(prefix + "-logs", container_config("echo out; echo err >&2; exit 3")));
  must(e.start_container(id));
  CHECK(must(e.wait_container(id, std::chrono::seconds(60))) == 3);
  std::string out;
  std::string err;
  must(e.logs(id, {}, [&](bool error, std::string_view bytes) {
    (error ? err : out) += bytes;
    return true;
  }));
  CHECK(out == "out\n");
  CHECK(err == "err\n");
}

TEST_CASE("networks and volumes are made once and removed") {
  const cleaner clean;
  auto e = engine().client();
  const json network{
    {"Name", prefix + "-net"},
    {"Driver", "bridge"},
    {"Labels", {{"io.slipway.test", "engine"}}}};
  const auto id = must(e.create_network(network));
  CHECK(code(e.create_network(network)) == errc::conflict);
  REQUIRE(must(e.networks({label})).size() == 1);
  CHECK(must(e.networks({label})).at(0).name == prefix + "-net");
  CHECK(must(e.inspect_network(id)).at("Name") == prefix + "-net");
  must(e.remove_network(id));
  CHECK(code(e.inspect_network(id)) == errc::not_found);
  CHECK(code(e.remove_network(id)) == errc::not_found);

  const json volume{{"Name", prefix + "-volume"}, {"Labels", {{"io.slipway.test", "engine"}}}};
  CHECK(must(e.create_volume(volume)).name == prefix + "-volume");
  CHECK(must(e.create_volume(volume)).name == prefix + "-volume");
  REQUIRE(must(e.volumes({label})).size() == 1);
  CHECK(must(e.inspect_volume(prefix + "-volume")).labels.at("io.slipway.test") == "engine");
  must(e.remove_volume(prefix + "-volume"));
  CHECK(code(e.inspect_volume(prefix + "-volume")) == errc::not_found);
}

TEST_CASE("an image is built, tagged, listed and removed") {
  auto e = engine().client();
  const auto context = test::make_tar(
    {{"build/Dockerfile",
      std::string("FROM ") + test::engine_fixture::base_image
        + "\nARG GREETING\nRUN echo \"$GREETING\" > /greeting && echo building-$GREETING\nCMD "
          "[\"cat\", \"/greeting\"]\n"}});
  runtime::build_request request;
  request.tags = {"slipway-test/built:1"};
  request.dockerfile = "build/Dockerfile";
  request.build_args = {{"GREETING", "hello"}};
  request.labels = {{"io.slipway.test", "engine"}};
  std::string output;
  const auto image = must(e.build(request, test::source_of(context), [&](std::string_view text) {
    output += text;
    return true;
  }));
  CHECK(image.id.starts_with("sha256:"));
  CHECK(output.find("building-hello") != std::string::npos);
  CHECK(must(e.inspect_image("slipway-test/built:1")).id == image.id);
  CHECK(must(e.inspect_image(image.id)).labels.at("io.slipway.test") == "engine");
  must(e.tag_image("slipway-test/built:1", "slipway-test/other", "2"));
  const auto listed = must(e.images({label}));
  REQUIRE(!listed.empty());
  CHECK(std::any_of(listed.begin(), listed.end(), [&](const auto& i) { return i.id == image.id; }));
  must(e.remove_image("slipway-test/other:2"));
  must(e.remove_image("slipway-test/built:1"));
  CHECK(code(e.inspect_image(image.id)) == errc::not_found);
  CHECK(code(e.remove_image("slipway-test/built:1")) == errc::not_found);
}

TEST_CASE("a build that fails is an error with its reason") {
  auto e = engine().client();
  runtime::build_request request;
  request.tags = {"slipway-test/fails:1"};
  const auto context = test::make_tar(
    {{"Dockerfile",
      std::string("FROM ") + test::engine_fixture::base_image
        + "\nRUN echo about-to-fail; exit 9\n"}});
  std::string output;
  const auto built = e.build(request, test::source_of(context), [&](std::string_view text) {
    output += text;
    return true;
  });
  REQUIRE(!built);
  CHECK(built.error().detail.find('9') != std::string::npos);
  CHECK(output.find("about-to-fail") != std::string::npos);
  CHECK(code(e.inspect_image("slipway-test/fails:1")) == errc::not_found);
  const auto nonsense = test::make_tar({{"Dockerfile", "NONSENSE\n"}});
  CHECK(!e.build(request, test::source_of(nonsense), {}));
  CHECK(!e.build(request, test::source_of("this is not a tar"), {}));
}

TEST_CASE("a build that fails for want of memory says so") {
  if constexpr (podman) {
    return;  // it does not name the containers of steps
  }
  auto e = engine().client();
  runtime::build_request request;
  request.memory_bytes_max = 64 << 20;
  const auto why = [&](const std::string& step) {
    const auto context = test::make_tar(
      {{"Dockerfile",
        std::string("FROM ") + test::engine_fixture::base_image + "\nRUN " + step + "\n"}});
    const auto built = e.build(request, test::source_of(context), {});
    return built ? "" : built.error().detail;
  };
  constexpr const char* words = "more memory than the 64 MiB that a step may have";
  // Whatever the status is that the step makes of it.
  CHECK(why("tail /dev/zero").find(words) != std::string::npos);
  CHECK(why("tail /dev/zero; exit 3").find(words) != std::string::npos);
  CHECK(why("exit 137").find(words) == std::string::npos);
}

TEST_CASE("a pull and a push that no registry answers are errors") {
  auto e = engine().client();
  const runtime::registry_access access{.plain_http = true};
  CHECK(!e.pull("127.0.0.1:1/none:1", access, {}));
  must(e.tag_image(test::engine_fixture::base_image, "127.0.0.1:1/none", "1"));
  const auto pushed = e.push("127.0.0.1:1/none:1", access, {});
  CHECK(!pushed);
  must(e.remove_image("127.0.0.1:1/none:1"));
}

TEST_CASE("events are streamed until the listener has enough") {
  const cleaner clean;
  auto e = engine().client();
  // Since its first second: what happened before the call is told as well, so no listener has to run first.
  const auto id = must(e.create_container(prefix + "-event", container_config("true")));
  must(e.start_container(id));
  (void)must(e.wait_container(id, std::chrono::seconds(60)));
  std::string seen;
  must(e.events({label}, 1, [&](const json& event) {
    seen = event.value("Action", event.value("status", ""));
    return seen != "die" && seen != "died";
  }));
  CHECK((seen == "die" || seen == "died"));
}

TEST_CASE("no engine is an error of its own") {
  container_engine e("unix:///nonexistent/engine.sock");
  CHECK(code(e.ping()) == errc::unavailable);
  CHECK(code(e.containers()) == errc::unavailable);
}
