#include "domain/effects.hpp"

#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

struct watched {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");
  std::int64_t release = i.given_release(fleet);
  std::int64_t one = i.given_device(fleet), two = i.given_device(fleet);
  std::int64_t elsewhere = i.given_device(i.given_fleet(user, "boats"));

  [[nodiscard]] std::vector<std::int64_t> told() const {
    auto ids = domain::devices_to_notify(i.last, i.rows);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  [[nodiscard]] bool target() const { return domain::affects_target(*i.model, i.last); }
  [[nodiscard]] bool credentials() const { return domain::affects_credentials(i.last); }
};

using ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a new target release tells all devices of the fleet and no other") {
  watched w;
  static_cast<void>(w.i.given_release(w.fleet));
  // The last commit was the one that made the release successful, and so the target.
  CHECK(w.told() == ids{w.one, w.two});
  CHECK(w.target());
}

TEST_CASE("a release under construction tells nobody") {
  watched w;
  REQUIRE(w.i.create(w.ann, "release", {{"belongs_to__application", w.fleet}, {"commit", "abc"}}));
  CHECK(w.told().empty());
}

TEST_CASE("a fleet's variable tells the fleet, a device's variable the device") {
  watched w;
  const auto variable = w.i.create(
    w.ann,
    "application_environment_variable",
    {{"application", w.fleet}, {"name", "A"}, {"value", "1"}});
  CHECK(w.told() == ids{w.one, w.two});
  REQUIRE(w.i.change(w.ann, "application_environment_variable", *variable, {{"value", "2"}}));
  CHECK(w.told() == ids{w.one, w.two});
  REQUIRE(w.i.remove(w.ann, "application_environment_variable", *variable));
  CHECK(w.told() == ids{w.one, w.two});
  CHECK(w.target());
  const auto own = w.i.create(
    w.ann,
    "device_config_variable",
    {{"device", w.one}, {"name", "RESIN_A"}, {"value", "1"}});
  CHECK(w.told() == ids{w.one});
  CHECK(w.target());
  REQUIRE(w.i.remove(w.ann, "device_config_variable", *own));
  CHECK(w.told() == ids{w.one});
}

TEST_CASE("a pin, a move and a new name tell the device, a note does not") {
  watched w;
  REQUIRE(w.i.change(w.ann, "device", w.one, {{"is_pinned_on__release", w.release}}));
  CHECK(w.told() == ids{w.one});
  REQUIRE(w.i.change(w.ann, "device", w.one, {{"device_name", "kitchen"}}));
  CHECK(w.told() == ids{w.one});
  CHECK(w.target());
  REQUIRE(w.i.change(w.ann, "device", w.one, {{"note", "by the window"}}));
  CHECK(w.told().empty());
  CHECK_FALSE(w.target());
}

TEST_CASE("tags, state reports and presence change nobody's target") {
  watched w;
  REQUIRE(w.i.create(w.ann, "device_tag", {{"device", w.one}, {"tag_key", "k"}, {"value", "v"}}));
  CHECK(w.told().empty());
  CHECK_FALSE(w.target());
  messages::set_presence presence;
  presence.epoch = 1;
  presence.online = true;
  REQUIRE(w.i.tell({messages::entity_kind::device, w.one}, presence));
  REQUIRE_FALSE(w.i.events.empty());
  CHECK(w.told().empty());
  CHECK_FALSE(w.target());
  messages::report_state report;
  report.values = {{w.i.model->at("device").field("status"), "Idle"}};
  REQUIRE(w.i.tell({messages::entity_kind::device, w.one}, report));
  CHECK(w.told().empty());
  CHECK_FALSE(w.target());
}

TEST_CASE(
  "keys, users, organizations and memberships are credentials, and so is what owns keys when it "
  "goes") {
  watched w;
  messages::add_key key;
  key.by = w.ann;
  key.of_actor = w.ann.actor;
  key.key_hash = "hash";
  REQUIRE(w.i.tell({messages::entity_kind::user, w.user}, key));
  CHECK(w.credentials());
  REQUIRE(w.i.change(w.ann, "user", w.user, {{"email", "a@b"}}));
  CHECK(w.credentials());
  REQUIRE(w.i.create(w.ann, "organization", {{"name", "sky"}}));
  CHECK(w.credentials());
  REQUIRE(w.i.change(w.ann, "device", w.one, {{"note", "n"}}));
  CHECK_FALSE(w.credentials());
  REQUIRE(w.i.remove(w.ann, "device", w.one));
  CHECK(w.credentials());
}
