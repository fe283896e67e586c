#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using messages::errc;
using messages::null;
using messages::value;

namespace {

bool breaks_a_rule(const domain::decision& d) {
  return !d && d.error().code == errc::rule_violated;
}

struct one_fleet {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");

  [[nodiscard]] messages::register_device request(const messages::requester& by) const {
    messages::register_device cmd;
    cmd.by = by;
    cmd.application = fleet;
    cmd.uuid = std::string(32, 'd');
    cmd.device_type = "generic-amd64";
    cmd.api_key = "hash of its key";
    cmd.os_version = "Debian 12";
    return cmd;
  }
  domain::decision enroll(const messages::register_device& cmd) {
    return i.tell({messages::entity_kind::device, 64 * 900 + 1}, cmd);
  }
  domain::decision set(std::int64_t device, tests::named_values values) {
    return i.change(ann, "device", device, std::move(values));
  }
  domain::decision
  presence(std::int64_t device, std::int64_t edge, std::uint64_t epoch, bool online) {
    messages::set_presence cmd;
    cmd.edge = edge;
    cmd.epoch = epoch;
    cmd.online = online;
    cmd.time = ++i.now;
    return i.tell({messages::entity_kind::device, device}, cmd);
  }
  domain::decision report(std::int64_t device, messages::report_state cmd) {
    cmd.by = i.device(device);
    return i.tell({messages::entity_kind::device, device}, cmd);
  }
};

}  // namespace

TEST_CASE("a provisioning key registers a device with a name, an actor and a working key") {
  one_fleet f;
  const auto release = f.i.given_release(f.fleet, {"main", "side"});
  const auto id = f.enroll(f.request(f.i.provisioning_key(f.fleet)));
  REQUIRE(id);
  CHECK(f.i.text_of("device", *id, "uuid") == std::string(32, 'd'));
  CHECK_FALSE(f.i.text_of("device", *id, "device_name").empty());
  CHECK(f.i.text_of("device", *id, "os_version") == "Debian 12");
  const auto keys = f.i.where("api_key", "is_of__actor", f.i.of("device", *id, "actor"));
  REQUIRE(keys.size() == 1);
  CHECK(f.i.text_of("api_key", keys[0], "key") == "hash of its key");
  CHECK(f.i.where("service_install", "device", *id).size() == 2);
  CHECK(f.i.of("device", *id, "should_be_running__release") == value{release});
}

TEST_CASE("only a member and the fleet's own provisioning key register devices in it") {
  one_fleet f;
  const auto bob = f.i.given_user("bob");
  const auto boats = f.i.given_fleet(bob, "boats");
  const auto device = f.i.given_device(f.fleet);
  for (const auto& by :
       {tests::installation::guest(),
        f.i.user(bob),
        f.i.provisioning_key(boats),
        f.i.device(device)}) {
    const auto refused = f.enroll(f.request(by));
    CHECK((!refused && refused.error().code == errc::unauthorized));
  }
  CHECK(f.enroll(f.request(f.ann)));
}

TEST_CASE("a registration with a wrong uuid, device type or architecture is refused") {
  one_fleet f;
  const auto with = [&](auto change) {
    auto cmd = f.request(f.ann);
    change(cmd);
    return f.enroll(cmd);
  };
  CHECK(breaks_a_rule(with([](auto& c) { c.uuid = "short"; })));
  CHECK(breaks_a_rule(with([](auto& c) { c.uuid = std::string(32, 'D'); })));
  CHECK(breaks_a_rule(with([](auto& c) { c.uuid = std::string(33, 'd'); })));
  CHECK_FALSE(with([](auto& c) { c.device_type = "toaster"; }));
  CHECK(breaks_a_rule(with([](auto& c) { c.device_type = "raspberrypi4-64"; })));
  CHECK_FALSE(with([](auto& c) { c.application = 4711; }));
  CHECK(f.i.count("device") == 0);
  CHECK(f.i.count("api_key") == 0);
  CHECK(with([](auto& c) { c.uuid = std::string(62, 'd'); }));
}

TEST_CASE("the same device is named the same on every try") {
  one_fleet f;
  one_fleet again;
  const auto first = f.enroll(f.request(f.ann)).value();
  const auto second = again.enroll(again.request(again.ann)).value();
  CHECK(
    f.i.text_of("device", first, "device_name")
    == again.i.text_of("device", second, "device_name"));
}

TEST_CASE("a device is pinned to a successful release of its fleet, and let go again") {
  one_fleet f;
  const auto old = f.i.given_release(f.fleet);
  f.i.now += 1000;
  const auto target = f.i.given_release(f.fleet);
  const auto running =
    f.i.given("release", {{"belongs_to__application", f.fleet}, {"commit", "x"}});
  const auto device = f.i.given_device(f.fleet);
  CHECK(f.i.of("device", device, "should_be_running__release") == value{target});
  REQUIRE(f.set(device, {{"is_pinned_on__release", old}}));
  CHECK(f.i.of("device", device, "should_be_running__release") == value{old});
  CHECK(breaks_a_rule(f.set(device, {{"is_pinned_on__release", running}})));
  CHECK(breaks_a_rule(f.set(device, {{"is_pinned_on__release", std::int64_t{4711}}})));
  REQUIRE(f.set(device, {{"is_pinned_on__release", null{}}}));
  CHECK(f.i.of("device", device, "should_be_running__release") == value{target});
}

TEST_CASE(
  "a pin to a release with another service gives the device that service to hang variables on") {
  one_fleet f;
  const auto old = f.i.given_release(f.fleet, {"main", "gone"});
  f.i.now += 1000;
  static_cast<void>(f.i.given_release(f.fleet, {"main"}));
  const auto device = f.i.given_device(f.fleet);
  CHECK(f.i.where("service_install", "device", device).size() == 1);
  REQUIRE(f.set(device, {{"is_pinned_on__release", old}}));
  CHECK(f.i.where("service_install", "device", device).size() == 2);
}

TEST_CASE("a device that moves loses its pin, its services and what it had installed") {
  one_fleet f;
  const auto release = f.i.given_release(f.fleet);
  const auto boats = f.i.given_fleet(f.user, "boats");
  const auto there = f.i.given_release(boats, {"sail"});
  const auto device = f.i.given_device(f.fleet);
  const auto link = f.i.where("release_image", "is_part_of__release", release).at(0);
  messages::report_state report;
  report.has_apps = true;
  report.services = {{f.i.id_of("release_image", link, "image"), release, "Running", -1}};
  REQUIRE(f.report(device, report));
  REQUIRE(f.set(device, {{"is_pinned_on__release", release}}));
  const auto install = f.i.where("service_install", "device", device).at(0);
  static_cast<void>(f.i.given(
    "device_service_environment_variable",
    {{"service_install", install}, {"name", "A"}, {"value", "1"}}));

  REQUIRE(f.set(device, {{"belongs_to__application", boats}}));
  CHECK(messages::is_null(f.i.of("device", device, "is_pinned_on__release")));
  CHECK(f.i.of("device", device, "should_be_running__release") == value{there});
  const auto installs = f.i.where("service_install", "device", device);
  REQUIRE(installs.size() == 1);
  CHECK(
    f.i.text_of(
      "service",
      f.i.id_of("service_install", installs[0], "installs__service"),
      "service_name")
    == "sail");
  CHECK(f.i.count("device_service_environment_variable") == 0);
  const auto images = f.i.where("image_install", "device", device);
  REQUIRE(images.size() == 1);
  CHECK(f.i.text_of("image_install", images[0], "status") == "deleted");
}

TEST_CASE(
  "a device moves with a pin only to a release of the new fleet, and only within its "
  "architecture") {
  one_fleet f;
  const auto release = f.i.given_release(f.fleet);
  const auto boats = f.i.given_fleet(f.user, "boats");
  const auto there = f.i.given_release(boats);
  const auto device = f.i.given_device(f.fleet);
  CHECK(breaks_a_rule(
    f.set(device, {{"belongs_to__application", boats}, {"is_pinned_on__release", release}})));
  CHECK(f.set(device, {{"belongs_to__application", boats}, {"is_pinned_on__release", there}}));
  const auto pies = f.i.given(
    "application",
    {{"app_name", "pies"},
     {"organization", f.i.organization_of(f.user)},
     {"is_for__device_type", f.i.device_type("raspberrypi4-64")}});
  CHECK(breaks_a_rule(f.set(device, {{"belongs_to__application", pies}})));
}

TEST_CASE("a device's uuid cannot change and its name is one line") {
  one_fleet f;
  const auto device = f.i.given_device(f.fleet);
  CHECK(breaks_a_rule(f.set(device, {{"uuid", std::string(32, 'b')}})));
  CHECK(breaks_a_rule(f.set(device, {{"device_name", "two\nlines"}})));
  CHECK(f.set(device, {{"device_name", "Kitchen \xc3\xa9"}}));
}

TEST_CASE("a device goes with its variables, tags, installs and keys") {
  one_fleet f;
  static_cast<void>(f.i.given_release(f.fleet));
  const auto id = f.enroll(f.request(f.ann)).value();
  const auto install = f.i.where("service_install", "device", id).at(0);
  static_cast<void>(
    f.i.given("device_environment_variable", {{"device", id}, {"name", "A"}, {"value", "1"}}));
  static_cast<void>(
    f.i.given("device_config_variable", {{"device", id}, {"name", "RESIN_A"}, {"value", "1"}}));
  static_cast<void>(f.i.given(
    "device_service_environment_variable",
    {{"service_install", install}, {"name", "A"}, {"value", "1"}}));
  static_cast<void>(f.i.given("device_tag", {{"device", id}, {"tag_key", "k"}, {"value", "v"}}));
  REQUIRE(f.i.remove(f.ann, "device", id));
  for (const auto* resource :
       {"device",
        "api_key",
        "service_install",
        "device_environment_variable",
        "device_config_variable",
        "device_service_environment_variable",
        "device_tag"}) {
    INFO(resource);
    CHECK(f.i.count(resource) == 0);
  }
  CHECK(f.i.exists("application", f.fleet));
}

TEST_CASE("a report creates and updates installs, and marks what it does not list deleted") {
  one_fleet f;
  const auto release = f.i.given_release(f.fleet, {"main", "side"});
  const auto device = f.i.given_device(f.fleet);
  const auto links = f.i.where("release_image", "is_part_of__release", release);
  const auto main = f.i.id_of("release_image", links.at(0), "image");
  const auto side = f.i.id_of("release_image", links.at(1), "image");
  messages::report_state report;
  report.has_apps = true;
  report.services = {{main, release, "Downloading", 40}, {side, release, "Sleeping", 250}};
  REQUIRE(f.report(device, report));
  const auto status = [&](std::int64_t image) {
    return f.i.text_of(
      "image_install",
      f.i.where("image_install", "installs__image", image).at(0),
      "status");
  };
  const auto progress = [&](std::int64_t image) {
    return f.i.of(
      "image_install",
      f.i.where("image_install", "installs__image", image).at(0),
      "download_progress");
  };
  CHECK(status(main) == "Downloading");
  CHECK(progress(main) == value{std::int64_t{40}});
  CHECK(status(side) == "Unknown");
  CHECK(progress(side) == value{std::int64_t{100}});

  report.services = {{main, release, "Running", -1}};
  REQUIRE(f.report(device, report));
  CHECK(f.i.count("image_install") == 2);
  CHECK(status(main) == "Running");
  CHECK(messages::is_null(progress(main)));
  CHECK(status(side) == "deleted");

  report.services.clear();
  report.has_apps = false;
  REQUIRE(f.report(device, report));
  CHECK(status(main) == "Running");
  CHECK(f.i.events.empty());
}

TEST_CASE("a report of a device key about another device is refused") {
  one_fleet f;
  const auto device = f.i.given_device(f.fleet);
  const auto sibling = f.i.given_device(f.fleet);
  messages::report_state cmd;
  cmd.by = f.i.device(sibling);
  const auto refused = f.i.tell({messages::entity_kind::device, device}, cmd);
  CHECK((!refused && refused.error().code == errc::unauthorized));
}

TEST_CASE("presence of an old epoch changes nothing") {
  one_fleet f;
  const auto device = f.i.given_device(f.fleet);
  const auto online = [&] { return messages::as_bool(f.i.of("device", device, "is_online")); };
  REQUIRE(f.presence(device, 1, 5, true));
  CHECK(online());
  const auto since = f.i.of("device", device, "last_connectivity_event");
  CHECK(since == value{f.i.now});
  REQUIRE(f.presence(device, 1, 4, false));
  CHECK(online());
  CHECK(f.i.events.empty());
  REQUIRE(f.presence(device, 1, 6, true));
  CHECK(f.i.of("device", device, "last_connectivity_event") == since);
  REQUIRE(f.presence(device, 1, 6, false));
  CHECK_FALSE(online());
}

TEST_CASE("a device without a session and without an event is configuring, later disconnected") {
  one_fleet f;
  const auto device = f.i.given_device(f.fleet);
  CHECK(f.i.text_of("device", device, "overall_status") == "configuring");
  REQUIRE(f.presence(device, 1, 1, true));
  CHECK(f.i.text_of("device", device, "overall_status") == "reduced-functionality");
  REQUIRE(f.presence(device, 1, 1, false));
  CHECK(f.i.text_of("device", device, "overall_status") == "disconnected");
}

TEST_CASE("a downloading image shows as updating with its progress") {
  one_fleet f;
  const auto release = f.i.given_release(f.fleet, {"main", "side"});
  const auto device = f.i.given_device(f.fleet);
  const auto links = f.i.where("release_image", "is_part_of__release", release);
  REQUIRE(f.presence(device, 1, 1, true));
  messages::report_state report;
  report.has_apps = true;
  report.services = {
    {f.i.id_of("release_image", links.at(0), "image"), release, "Downloading", 40},
    {f.i.id_of("release_image", links.at(1), "image"), release, "Running", -1}};
  REQUIRE(f.report(device, report));
  CHECK(f.i.text_of("device", device, "overall_status") == "updating");
  CHECK(f.i.of("device", device, "overall_progress") == value{std::int64_t{70}});
  report.services[0].status = "Running";
  report.services[0].download_progress = -1;
  REQUIRE(f.report(device, report));
  CHECK(messages::is_null(f.i.of("device", device, "overall_progress")));
}

TEST_CASE("a device installs services of its own fleet only") {
  one_fleet f;
  const auto device = f.i.given_device(f.fleet);
  const auto boats = f.i.given_fleet(f.user, "boats");
  const auto foreign = f.i.given_service(boats, "sail");
  const auto own = f.i.given_service(f.fleet, "main");
  CHECK(breaks_a_rule(
    f.i.create(f.ann, "service_install", {{"device", device}, {"installs__service", foreign}})));
  const auto id =
    f.i.create(f.ann, "service_install", {{"device", device}, {"installs__service", own}});
  REQUIRE(id);
  CHECK(breaks_a_rule(f.i.change(f.ann, "service_install", *id, {{"installs__service", foreign}})));
}
