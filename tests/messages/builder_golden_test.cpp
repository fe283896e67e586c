#include "messages/build_bus.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace slipway::messages;

namespace {

constexpr std::int64_t sent_at = 1'795'428'832'331;

/// `tests/golden/<name>.msgpack` must be what the message encodes to, and must decode to it. Files of past versions are
/// never changed. SLIPWAY_WRITE_GOLDEN=1 writes those that are not there.
template <class T>
void expect_golden(const std::string& name, const T& x) {
  INFO(name);
  const auto file = std::filesystem::path(SLIPWAY_GOLDEN_DIR) / (name + ".msgpack");
  const auto bytes = seal(x, 7, sent_at);
  if (!std::filesystem::exists(file) && std::getenv("SLIPWAY_WRITE_GOLDEN") != nullptr) {
    std::ofstream(file, std::ios::binary) << bytes;
  }
  std::ifstream in(file, std::ios::binary);
  REQUIRE(in);
  const std::string golden{std::istreambuf_iterator<char>(in), {}};
  CHECK(bytes == golden);
  const auto e = unpack<envelope>(golden);
  REQUIRE(e);
  CHECK(e->type == T::type);
  CHECK(open<T>(*e) == x);
}

run_build example() {
  run_build o;
  o.build = 193;
  o.attempt = 2;
  o.organization = 65;
  o.architecture = "aarch64";
  o.no_cache = true;
  o.source_bytes = 10'240;
  service_plan s;
  s.name = "main";
  s.dockerfile = "Dockerfile.template";
  s.dockerfile_text = "FROM busybox\n";
  s.project_type = "Dockerfile.template";
  s.args = {{"A", "b"}};
  s.labels = {{"io.example", "1"}};
  s.dockerignore = "*.o\n";
  o.plan.services = {s};
  o.plan.composition = R"({"version":"2.1"})";
  o.plan.semver = "1.2.3";
  o.plan.registries = {{"registry.example.org", "ann", "secret"}};
  o.plan.secrets = {{"main", ".balena/secrets/main/key", "key"}};
  o.images = {{"main", "registry2.example.org/v2/aa", "registry2.example.org/v2/bb@sha256:cc"}};
  o.limits = {3'600, 1 << 30, 16 << 20};
  o.plain_http = true;
  o.registry_ca = "PEM";
  o.fleet = 129;
  return o;
}

}  // namespace

TEST_CASE("messages between core and build worker are encoded as they always were") {
  expect_golden(
    "bus_worker_joined_v1",
    worker_joined{"big-machine", {"amd64", "i386"}, 4, "20.10.24", {193}});
  expect_golden("bus_worker_beat_v1", worker_beat{{193}});
  expect_golden("bus_get_source_v1", get_source{193, 1 << 20});
  expect_golden("bus_get_push_token_v1", get_push_token{193, "main"});
  expect_golden(
    "bus_build_output_v1",
    build_output{193, 2, {{"main", "Step 1/1 : FROM busybox", false, false}, {"", "10 %", true}}});
  service_progress p;
  p.name = "main";
  p.status = "success";
  p.content_hash = "sha256:dd";
  p.image_bytes = 1'234'567;
  p.started = sent_at;
  p.ended = sent_at + 1'000;
  p.cached = true;
  p.build_log = "Step 1/1 : FROM busybox\n";
  expect_golden("bus_service_changed_v1", service_changed{193, 2, p});
  expect_golden("bus_build_ended_v1", build_ended{193, 2, "main: it failed", false, true});
  expect_golden("bus_run_build_v1", example());
  expect_golden("bus_cancel_build_v1", cancel_build{193});
  expect_golden("bus_source_part_v1", source_part{193, 1 << 20, {'t', 'a', 'r'}});
  expect_golden("bus_push_token_v1", push_token{193, "main", "eyJ"});
}
