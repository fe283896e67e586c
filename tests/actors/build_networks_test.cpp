#include "actors/build_networks.hpp"

#include "tests/actors/builder_fakes.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using actors::build_networks;
using tests::engine_model;
using tests::fake_engine;

namespace {

struct world {
  std::shared_ptr<engine_model> model = std::make_shared<engine_model>();
  fake_engine engine{model};
  build_networks networks{"0a1b2c3d"};

  [[nodiscard]] const std::vector<std::string>& standing() const { return model->networks; }
};

using names = std::vector<std::string>;

}  // namespace

TEST_CASE("each build has a network of its own") {
  world w;
  const auto a = w.networks.reserve();
  const auto b = w.networks.reserve();
  CHECK(a.name != b.name);
  CHECK(a.name.starts_with("slipway-build-0a1b2c3d-"));
  CHECK(a.bridge != b.bridge);
  CHECK(a.bridge.size() <= 15);
  REQUIRE(w.networks.make(w.engine, a));
  CHECK(w.standing() == names{a.name});
  CHECK(w.model->calls == names{"bridge " + a.bridge});
}

TEST_CASE("a network made ahead is the next build's, and only its") {
  world w;
  w.networks.make_ahead(w.engine);
  w.networks.make_ahead(w.engine);
  REQUIRE(w.standing().size() == 1);
  const auto first = w.networks.reserve();
  CHECK(first.name == w.standing()[0]);
  CHECK(w.networks.reserve().name != first.name);
  w.model->calls.clear();
  REQUIRE(w.networks.make(w.engine, first));
  CHECK(w.model->calls == names{"networks io.slipway.builder=0a1b2c3d"});  // found, not made
}

TEST_CASE("a network made ahead that somebody removed is made again") {
  world w;
  w.networks.make_ahead(w.engine);
  const auto n = w.networks.reserve();
  w.model->networks.clear();
  REQUIRE(w.networks.make(w.engine, n));
  CHECK(w.standing() == names{n.name});
}

TEST_CASE("a build's network goes with the containers in it, and no other's") {
  world w;
  const auto n = w.networks.reserve();
  w.model->networks = {n.name, "other"};
  w.model->containers = {{.id = "a", .network_mode = n.name}, {.id = "b", .network_mode = "other"}};
  REQUIRE(build_networks::remove(w.engine, n));
  CHECK(w.standing() == names{"other"});
  REQUIRE(w.model->containers.size() == 1);
  CHECK(w.model->containers[0].id == "b");
}

TEST_CASE("what an earlier life left in the engine is removed") {
  world w;
  w.model->networks = {"slipway-build-0a1b2c3d-1", "slipway-build-0a1b2c3d-2"};
  w.model->containers = {
    {.id = "a", .network_mode = "slipway-build-0a1b2c3d-1"},
    {.id = "b", .network_mode = "bridge"}};
  REQUIRE(w.networks.clear(w.engine));
  CHECK(w.standing().empty());
  CHECK(w.model->containers.size() == 1);
  CHECK(w.model->calls == names{"networks io.slipway.builder=0a1b2c3d"});
  w.networks.make_ahead(w.engine);
  CHECK(w.standing().size() == 1);
}

TEST_CASE("a worker that ends makes no network ahead any more") {
  world w;
  w.networks.make_ahead(w.engine);
  REQUIRE(w.networks.clear(w.engine, true));
  w.networks.make_ahead(w.engine);
  CHECK(w.standing().empty());
  CHECK_FALSE(w.networks.reserve().made_ahead);
}
