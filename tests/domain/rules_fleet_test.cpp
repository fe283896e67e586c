#include "domain/removal.hpp"
#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;

namespace {

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

struct one_user {
  tests::installation i;
  std::int64_t id = i.given_user("ann");
  messages::requester ann = i.user(id);

  domain::decision fleet(tests::named_values more) {
    more.emplace_back("organization", i.organization_of(id));
    return i.create(ann, "application", std::move(more));
  }
  domain::decision named(const char* name) {
    return fleet({{"app_name", name}, {"is_for__device_type", i.device_type("generic-amd64")}});
  }
};

}  // namespace

TEST_CASE(
  "a new fleet has an actor, a slug, a uuid, the default type, and tracks its latest release") {
  one_user w;
  const auto id = w.named("Cars-1").value();
  CHECK(w.i.id_of("application", id, "actor") != 0);
  CHECK(w.i.text_of("application", id, "slug") == "ann/cars-1");
  CHECK(w.i.text_of("application", id, "uuid").size() == 32);
  CHECK(w.i.id_of("application", id, "application_type") != 0);
  CHECK(w.i.of("application", id, "should_track_latest_release") == messages::value{true});
  CHECK(w.i.text_of("application", id, "is_of__class") == "fleet");
}

TEST_CASE("a fleet's name has 4 to 100 letters, digits, dashes or underscores") {
  one_user w;
  CHECK(w.named("cars"));
  CHECK(w.named(std::string(100, 'a').c_str()));
  for (const auto& name :
       {std::string("car"),
        std::string(101, 'a'),
        std::string("two words"),
        std::string("a/bcd"),
        std::string("caf\xc3\xa9s")}) {
    INFO(name);
    CHECK(breaks_a_rule(w.named(name.c_str())));
  }
}

TEST_CASE("a fleet needs a name, a device type and an organization") {
  one_user w;
  CHECK(breaks_a_rule(w.fleet({{"app_name", "cars"}})));
  CHECK(breaks_a_rule(w.fleet({{"is_for__device_type", w.i.device_type("generic-amd64")}})));
  CHECK_FALSE(w.i.create(
    w.ann,
    "application",
    {{"app_name", "cars"}, {"is_for__device_type", w.i.device_type("generic-amd64")}}));
}

TEST_CASE("a renamed or moved fleet has a new slug") {
  one_user w;
  const auto id = w.named("cars").value();
  REQUIRE(w.i.change(w.ann, "application", id, {{"app_name", "Trucks"}}));
  CHECK(w.i.text_of("application", id, "slug") == "ann/trucks");
  const auto there = w.i.create(w.ann, "organization", {{"name", "sky"}}).value();
  REQUIRE(w.i.change(w.i.user(w.id), "application", id, {{"organization", there}}));
  CHECK(w.i.text_of("application", id, "slug") == "sky/trucks");
}

TEST_CASE("a fleet's device type changes only within its architecture") {
  one_user w;
  const auto id = w.named("cars").value();
  CHECK(
    w.i.change(w.ann, "application", id, {{"is_for__device_type", w.i.device_type("intel-nuc")}}));
  CHECK(breaks_a_rule(w.i.change(
    w.ann,
    "application",
    id,
    {{"is_for__device_type", w.i.device_type("raspberrypi4-64")}})));
}

TEST_CASE("a fleet's target is a successful release of its own or nothing") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto good = w.i.given_release(id);
  const auto running = w.i.given("release", {{"belongs_to__application", id}, {"commit", "abc"}});
  const auto set = [&](messages::value v) {
    return w.i.change(w.ann, "application", id, {{"should_be_running__release", std::move(v)}});
  };
  CHECK(set(good));
  CHECK(breaks_a_rule(set(running)));
  CHECK(breaks_a_rule(set(std::int64_t{4711})));
  CHECK(set(messages::null{}));
}

TEST_CASE("a fleet that begins to track takes the latest release that qualifies") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto first = w.i.given_release(id);
  w.i.now += 1000;
  const auto second = w.i.given_release(id);
  REQUIRE(w.i.change(
    w.ann,
    "application",
    id,
    {{"should_track_latest_release", false}, {"should_be_running__release", first}}));
  CHECK(w.i.id_of("application", id, "should_be_running__release") == first);
  REQUIRE(w.i.change(w.ann, "application", id, {{"should_track_latest_release", true}}));
  CHECK(w.i.id_of("application", id, "should_be_running__release") == second);
}

TEST_CASE("a fleet goes with all that hangs on it, its keys too, but not while it has devices") {
  one_user w;
  const auto id = w.named("cars").value();
  static_cast<void>(w.i.given_release(id, {"main", "side"}));
  static_cast<void>(w.i.given(
    "application_environment_variable",
    {{"application", id}, {"name", "A"}, {"value", "1"}}));
  messages::add_key key;
  key.by = w.ann;
  key.of_actor = w.i.id_of("application", id, "actor");
  key.key_hash = "hash";
  REQUIRE(w.i.tell({messages::entity_kind::fleet, id}, key));
  const auto device = w.i.given_device(id);
  CHECK(breaks_a_rule(w.i.remove(w.ann, "application", id)));
  const auto goes = domain::removal_of(w.i.rows, w.i.model->at("application").number, id);
  REQUIRE(goes);
  REQUIRE(goes->first.size() == 1);
  CHECK(goes->first.front().second == device);
  REQUIRE(w.i.remove(w.ann, "device", device));
  REQUIRE(w.i.remove(w.ann, "application", id));
  for (const auto* resource :
       {"application",
        "service",
        "release",
        "image",
        "release_image",
        "api_key",
        "device",
        "service_install",
        "application_environment_variable"}) {
    INFO(resource);
    CHECK(w.i.count(resource) == 0);
  }
}

TEST_CASE("one fleet's removal leaves the other fleets alone") {
  one_user w;
  const auto one = w.named("cars").value();
  const auto other = w.named("boats").value();
  static_cast<void>(w.i.given_release(one));
  const auto kept = w.i.given_release(other);
  REQUIRE(w.i.remove(w.ann, "application", one));
  CHECK(w.i.exists("application", other));
  CHECK(w.i.exists("release", kept));
  CHECK(w.i.count("image") == 1);
}

TEST_CASE("a service's name is one that a container can have") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto made = [&](const std::string& name) {
    return w.i.create(w.ann, "service", {{"application", id}, {"service_name", name}});
  };
  CHECK(made("web"));
  CHECK(made("a.b-c_1"));
  for (const auto& name :
       {std::string(""),
        std::string(".a"),
        std::string("a b"),
        std::string("a/b"),
        std::string(64, 'a')}) {
    INFO(name);
    CHECK(breaks_a_rule(made(name)));
  }
}

TEST_CASE("a variable's name is a shell name and not one of the platform's") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto made = [&](const std::string& name, const std::string& value = "v") {
    return w.i.create(
      w.ann,
      "application_environment_variable",
      {{"application", id}, {"name", name}, {"value", value}});
  };
  CHECK(made("A"));
  CHECK(made("_a1"));
  CHECK(made("BALENAX"));
  CHECK(made("EMPTY", ""));
  for (const auto* name :
       {"", "1A", "A-B", "A B", "RESIN", "BALENA", "USER", "RESIN_X", "BALENA_X"}) {
    INFO(name);
    CHECK(breaks_a_rule(made(name)));
  }
  CHECK(breaks_a_rule(made("B", "two\nlines")));
}

TEST_CASE("a configuration variable's name begins with RESIN_ or BALENA_") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto made = [&](const std::string& name) {
    return w.i.create(
      w.ann,
      "application_config_variable",
      {{"application", id}, {"name", name}, {"value", "1"}});
  };
  CHECK(made("RESIN_HOST_CONFIG_gpu:mem"));
  CHECK(made("BALENA_X"));
  for (const auto* name : {"A", "", "RESIN", "RESIN_A-B", "resin_a"}) {
    INFO(name);
    CHECK(breaks_a_rule(made(name)));
  }
}

TEST_CASE("a tag's key has no white space and is not one of the platform's") {
  one_user w;
  const auto id = w.named("cars").value();
  const auto made = [&](const std::string& key) {
    return w.i.create(
      w.ann,
      "application_tag",
      {{"application", id}, {"tag_key", key}, {"value", ""}});
  };
  CHECK(made("io.my.tag"));
  for (const auto* key : {"", "a b", "a\tb", "io.resin.x", "io.balena.x"}) {
    INFO(key);
    CHECK(breaks_a_rule(made(key)));
  }
  CHECK(breaks_a_rule(made(std::string(101, 'k'))));
}
