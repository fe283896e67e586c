#include "runtime/crypto.hpp"
#include "tests/runtime/builder_world.hpp"

using namespace slipway;
using namespace slipway::tests;

namespace {

test::engine_fixture& engine() {
  static test::engine_fixture one(test::engine_fixture::kind::podman);
  return one;
}

plain_registry& registry() {
  static plain_registry one;
  return one;
}

/// podman keeps no rules that tell builds apart, so its workers are open.
struct podman_world : builder_world {
  podman_world() : builder_world(engine().endpoint()) { start(true); }
};

messages::run_build order_of(std::int64_t build, const std::string& steps) {
  return build_order(registry(), build, steps);
}

const std::string of_all = "a-word-that-only-steps-may-see";
const std::string of_main = "another-word-for-one-service";
const files project{
  {"Dockerfile", "replaced\n"},
  {"src/a.txt", "text\n"},
  {".balena/secrets/all", of_all},
  {".balena/secrets/main", of_main}};

messages::run_build order_with_secrets(std::int64_t build, const std::string& steps) {
  auto order = order_of(build, steps);
  order.plan.secrets = {
    {"", ".balena/secrets/all", "all"},
    {"main", ".balena/secrets/main", "deep/own"},
    {"other", ".balena/secrets/main", "other"}};
  return order;
}

/// Files below a folder that hold one of the secrets, packed layers unpacked.
std::string holders(const std::string& folder) {
  const auto found = runtime::run_child(
    "sh",
    {"-c",
     "find \"$1\" -type f -exec sh -c 'zcat -f \"$0\" 2>&1 | grep -q -e \"$1\" -e \"$2\" && echo "
     "\"$0\"' {} \"$2\" "
     "\"$3\" \\;",
     "sh",
     folder,
     of_all,
     of_main},
    "");
  REQUIRE(found);
  return found->output;
}

std::string engine_folder() {
  const auto endpoint = engine().endpoint().substr(std::string("unix://").size());
  return endpoint.substr(0, endpoint.rfind('/'));
}

/// Neither engine, registry nor worker has a secret, and nothing of it was printed.
void check_kept_nowhere(podman_world& w, std::int64_t build) {
  CHECK(w.core.wait([] { return holders(engine_folder()).empty(); }, 30));
  CHECK(holders(engine_folder()).empty());
  CHECK(holders(registry().folder()).empty());
  CHECK(w.core.wait([&] { return holders(w.folder.path()).empty(); }, 30));
  for (const auto& word : {of_all, of_main}) {
    CHECK(w.core.output(build).find(word) == std::string::npos);
    CHECK(w.core.last(build).build_log.find(word) == std::string::npos);
  }
}

}  // namespace

TEST_CASE("a worker with podman builds, pushes, and builds the same again from its cache") {
  podman_world w;
  const std::string steps = "COPY src /src\nRUN cat /src/a.txt && echo built > /out";
  w.core.run(order_of(1, steps), project);
  CHECK(w.core.ended(1).error.empty());
  const auto first = w.core.last(1);
  CHECK(first.status == "success");
  CHECK(first.content_hash.starts_with("sha256:"));
  CHECK_FALSE(first.cached);
  CHECK(w.core.output(1).find("text\n") != std::string::npos);
  w.core.run(order_of(2, steps), project);
  CHECK(w.core.ended(2).error.empty());
  CHECK(w.core.last(2).cached);
  CHECK(w.core.last(2).content_hash == first.content_hash);
  // Only the name that keeps the cache is left.
  const auto images = engine().client().images().value();
  for (const auto& i : images) {
    for (const auto& tag : i.repo_tags) {
      CHECK(tag.find("/v2/") == std::string::npos);
    }
  }
}

TEST_CASE("steps of a build with podman see its secrets, and nothing keeps them") {
  podman_world w;
  w.core.run(
    order_with_secrets(
      10,
      "RUN sha256sum /run/secrets/all /run/secrets/deep/own && ls /run/secrets\n"
      "COPY . /copied\n"
      "RUN [\"/bin/sh\", \"-c\", \"sha256sum /run/secrets/all\"]"),
    project);
  CHECK(w.core.ended(10).error.empty());
  const auto text = w.core.output(10);
  INFO(text);
  const auto first = text.find(runtime::sha256_hex(of_all) + "  /run/secrets/all");
  CHECK(first != std::string::npos);
  CHECK(text.find(runtime::sha256_hex(of_all), first + 1) != std::string::npos);
  CHECK(text.find(runtime::sha256_hex(of_main) + "  /run/secrets/deep/own") != std::string::npos);
  CHECK(text.find("other") == std::string::npos);
  check_kept_nowhere(w, 10);
  CHECK_FALSE(holders(w.core.folder()).empty());  // they would be found
}

TEST_CASE("a build with podman that fails or is cancelled keeps no secret") {
  podman_world w;
  w.core.run(order_with_secrets(20, "RUN sha256sum /run/secrets/all; exit 9"), project);
  const auto failed = w.core.ended(20);
  CHECK(failed.error.find('9') != std::string::npos);
  CHECK_FALSE(failed.may_retry);
  check_kept_nowhere(w, 20);
  // podman lets a step that is under way come to its end, and begins no other.
  w.core.run(order_with_secrets(21, "RUN echo begun; sleep 8\nRUN sleep 300"), project);
  REQUIRE(w.core.wait([&] { return w.core.output(21).find("begun\n") != std::string::npos; }));
  w.core.send(messages::cancel_build{21});
  CHECK(w.core.ended(21) == messages::build_ended{21, 1, "cancelled", true, false});
  check_kept_nowhere(w, 21);
}

TEST_CASE("a step with podman that needs more memory than it may fails") {
  podman_world w;
  auto order = order_of(22, "RUN dd if=/dev/zero of=/dev/null bs=300M count=1");
  order.limits.memory_bytes_max = 64 << 20;
  w.core.run(order, project);
  const auto end = w.core.ended(22);
  INFO(w.core.output(22));
  CHECK_FALSE(end.error.empty());
  CHECK_FALSE(end.may_retry);
  order.build = 23;
  order.limits.memory_bytes_max = 1LL << 30;
  w.core.run(order, project);
  CHECK(w.core.ended(23).error.empty());
}

TEST_CASE("a worker with podman that should keep builds apart does not start") {
  const fake_core core;
  const test::temp_folder folder;
  const auto refused = runtime::run_child(
    "env",
    {SLIPWAY_TEST_BUILDER, "--embedded"},
    worker_config(core, engine().endpoint(), folder.path(), false));
  REQUIRE(refused);
  CHECK(refused->status == 2);
  CHECK(
    refused->output.find("podman runs build steps in this machine's own network")
    != std::string::npos);
}

TEST_CASE("a push of podman to an address that cannot be spoken to ends the build at once") {
  podman_world w;
  auto order = order_of(30, "RUN echo here");
  order.plain_http = false;  // the registry has no TLS
  w.core.run(order, project);
  const auto end = w.core.ended(30);
  CHECK(end.error.find("HTTP response to HTTPS client") != std::string::npos);
  CHECK_FALSE(end.may_retry);
}
