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

/// Somebody's device, and what the platform publishes for devices of its kind.
struct provided {
  tests::installation i;
  messages::requester platform = tests::installation::platform();
  std::int64_t user = i.given_user("ann");
  messages::requester ann = i.user(user);
  std::int64_t fleet = i.given_fleet(user, "cars");
  std::int64_t type = i.id_of("application", fleet, "is_for__device_type");
  std::int64_t provider = i.given("organization", {{"name", "Provider"}, {"handle", "balena_os"}});
  std::int64_t host = application("generic-amd64", true);
  std::int64_t supervisor = application("amd64-supervisor", false);
  std::int64_t device = i.given_device(fleet);

  std::int64_t application(const std::string& name, bool is_host, bool is_public = true) {
    return i.given(
      "application",
      {{"app_name", name},
       {"organization", provider},
       {"is_for__device_type", type},
       {"is_host", is_host},
       {"is_public", is_public}});
  }
  std::int64_t release(
    std::int64_t of,
    const std::string& version,
    const std::string& status = "success",
    const std::string& variant = "") {
    return i.given(
      "release",
      {{"belongs_to__application", of},
       {"commit", "c" + std::to_string(++commits)},
       {"status", status},
       {"semver", version},
       {"variant", variant},
       {"start_timestamp", i.now}});
  }
  domain::decision set(tests::named_values values) {
    return i.change(ann, "device", device, std::move(values));
  }
  domain::decision report(const std::string& field, const std::string& text) {
    messages::report_state cmd;
    cmd.by = i.device(device);
    cmd.values = {{i.model->at("device").field(field), text}};
    return i.tell({messages::entity_kind::device, device}, cmd);
  }
  [[nodiscard]] value now(const std::string& field) const { return i.of("device", device, field); }

  int commits = 0;
};

}  // namespace

TEST_CASE("a device is operated by a successful release of a host for its type") {
  provided p;
  const auto good = p.release(p.host, "6.0.0");
  CHECK(p.set({{"should_be_operated_by__release", good}}));
  CHECK(p.now("should_be_operated_by__release") == value{good});
  CHECK(p.set({{"should_be_operated_by__release", null{}}}));
  CHECK(breaks_a_rule(
    p.set({{"should_be_operated_by__release", p.release(p.host, "6.1.0", "failed")}})));
  CHECK(
    breaks_a_rule(p.set({{"should_be_operated_by__release", p.release(p.supervisor, "6.2.0")}})));
  CHECK(breaks_a_rule(p.set({{"should_be_operated_by__release", p.i.given_release(p.fleet)}})));
  const auto other = p.i.given(
    "application",
    {{"app_name", "raspberrypi3"},
     {"organization", p.provider},
     {"is_for__device_type", p.i.device_type("raspberrypi3")},
     {"is_host", true},
     {"is_public", true}});
  CHECK(breaks_a_rule(p.set({{"should_be_operated_by__release", p.release(other, "6.0.0")}})));
}

TEST_CASE("a device's host is not downgraded") {
  provided p;
  const auto older = p.release(p.host, "5.0.0");
  const auto same = p.release(p.host, "6.0.0");
  const auto newer = p.release(p.host, "6.1.0");
  REQUIRE(p.report("os_version", "balenaOS 6.0.0"));
  CHECK(breaks_a_rule(p.set({{"should_be_operated_by__release", older}})));
  CHECK(p.set({{"should_be_operated_by__release", newer}}));
  CHECK(p.set({{"should_be_operated_by__release", same}}));
}

TEST_CASE("a device is managed by the public supervisor for its architecture, above 0.0.0") {
  provided p;
  const auto good = p.release(p.supervisor, "17.0.0");
  CHECK(p.set({{"should_be_managed_by__release", good}}));
  CHECK(
    breaks_a_rule(p.set({{"should_be_managed_by__release", p.release(p.supervisor, "0.0.0")}})));
  CHECK(breaks_a_rule(
    p.set({{"should_be_managed_by__release", p.release(p.supervisor, "18.0.0", "failed")}})));
  CHECK(breaks_a_rule(p.set({{"should_be_managed_by__release", p.release(p.host, "17.0.0")}})));
  const auto other = p.application("aarch64-supervisor", false);
  CHECK(breaks_a_rule(p.set({{"should_be_managed_by__release", p.release(other, "17.0.0")}})));
}

TEST_CASE("a supervisor is taken from nobody who only calls himself its provider") {
  provided p;
  // The slug is the platform's, but the application is not public any more.
  const auto release = p.release(p.supervisor, "17.0.0");
  REQUIRE(p.i.change(p.platform, "application", p.supervisor, {{"is_public", false}}));
  CHECK_FALSE(p.set({{"should_be_managed_by__release", release}}));
  // And nobody else gets a handle under which it could be published.
  for (const auto* handle : {"balena_os", "slipway_os", "resin_os", "balena", "slipway"}) {
    CHECK(breaks_a_rule(p.i.create(p.ann, "organization", {{"name", "x"}, {"handle", handle}})));
  }
  const auto made = p.i.create(p.ann, "organization", {{"name", "balena os"}});
  REQUIRE(made);
  CHECK(p.i.text_of("organization", *made, "handle") == "balena_os_2");
}

TEST_CASE("a device's supervisor is not downgraded") {
  provided p;
  const auto older = p.release(p.supervisor, "16.0.0");
  const auto newer = p.release(p.supervisor, "17.1.0");
  REQUIRE(p.report("supervisor_version", "17.0.0"));
  CHECK(breaks_a_rule(p.set({{"should_be_managed_by__release", older}})));
  CHECK(p.set({{"should_be_managed_by__release", newer}}));
}

TEST_CASE("versions that a device tells become the releases it should run, when they are known") {
  provided p;
  const auto os = p.release(p.host, "6.0.0");
  const auto supervisor = p.release(p.supervisor, "17.0.0");
  REQUIRE(p.report("os_version", "balenaOS 5.9.9"));
  CHECK(p.now("should_be_operated_by__release") == value{});
  REQUIRE(p.report("os_version", "balenaOS 6.0.0"));
  REQUIRE(p.report("supervisor_version", "17.0.0"));
  CHECK(p.now("should_be_operated_by__release") == value{os});
  CHECK(p.now("should_be_managed_by__release") == value{supervisor});
}

TEST_CASE("a device that is told what to run is not told otherwise by what it reports") {
  provided p;
  p.release(p.host, "6.0.0");
  const auto newer = p.release(p.host, "6.1.0");
  REQUIRE(p.set({{"should_be_operated_by__release", newer}}));
  REQUIRE(p.report("os_version", "balenaOS 6.0.0"));
  CHECK(p.now("should_be_operated_by__release") == value{newer});
}

TEST_CASE("a new device's versions are mapped as it registers") {
  provided p;
  const auto os = p.release(p.host, "6.0.0");
  const auto supervisor = p.release(p.supervisor, "17.0.0");
  messages::register_device cmd;
  cmd.by = p.i.provisioning_key(p.fleet);
  cmd.application = p.fleet;
  cmd.uuid = std::string(32, 'e');
  cmd.device_type = "generic-amd64";
  cmd.api_key = "hash";
  cmd.os_version = "balenaOS 6.0.0";
  cmd.supervisor_version = "17.0.0";
  const auto made = p.i.tell({messages::entity_kind::device, 64 * 900 + 1}, cmd);
  REQUIRE(made);
  CHECK(p.i.id_of("device", *made, "should_be_operated_by__release") == os);
  CHECK(p.i.id_of("device", *made, "should_be_managed_by__release") == supervisor);
}

TEST_CASE("revision and variant tell releases of one version apart") {
  provided p;
  p.release(p.host, "6.0.0", "success", "prod");
  const auto dev = p.release(p.host, "6.0.0", "success", "dev");
  REQUIRE(p.report("os_variant", "dev"));
  REQUIRE(p.report("os_version", "balenaOS 6.0.0"));
  CHECK(p.now("should_be_operated_by__release") == value{dev});
  p.release(p.supervisor, "17.0.0");
  const auto second = p.release(p.supervisor, "17.0.0");
  REQUIRE(p.report("supervisor_version", "17.0.0+rev1"));
  CHECK(p.now("should_be_managed_by__release") == value{second});
}

TEST_CASE("a version is not mapped to what anybody may publish") {
  provided p;
  const auto mine = p.i.given(
    "application",
    {{"app_name", "lookalike"},
     {"organization", p.i.organization_of(p.user)},
     {"is_for__device_type", p.type},
     {"is_host", true},
     {"is_public", true}});
  p.release(mine, "6.0.0");
  REQUIRE(p.report("os_version", "balenaOS 6.0.0"));
  CHECK(p.now("should_be_operated_by__release") == value{});
}

TEST_CASE("only administrators publish hosts, and only hosts are updated by a block") {
  provided p;
  const auto own = p.i.organization_of(p.user);
  const tests::named_values values{
    {"app_name", "my-host"},
    {"organization", own},
    {"is_for__device_type", p.type},
    {"is_host", true}};
  auto open = values;
  open.emplace_back("is_public", true);
  CHECK(breaks_a_rule(p.i.create(p.ann, "application", open)));
  const auto host = p.i.create(p.ann, "application", values);
  REQUIRE(host);
  CHECK(breaks_a_rule(p.i.change(p.ann, "application", *host, {{"is_public", true}})));
  CHECK(p.i.change(p.platform, "application", *host, {{"is_public", true}}));
  const auto block = p.i.given(
    "application",
    {{"app_name", "updater"},
     {"organization", own},
     {"is_for__device_type", p.type},
     {"is_of__class", "block"}});
  CHECK(p.i.change(p.ann, "application", *host, {{"is_updated_by__application", block}}));
  CHECK(breaks_a_rule(
    p.i.change(p.ann, "application", *host, {{"is_updated_by__application", p.fleet}})));
  CHECK(breaks_a_rule(
    p.i.change(p.ann, "application", p.fleet, {{"is_updated_by__application", block}})));
}

TEST_CASE("other variants than dev and prod are dropped") {
  provided p;
  REQUIRE(p.report("os_variant", "prod"));
  REQUIRE(p.report("os_variant", "odd"));
  CHECK(p.i.text_of("device", p.device, "os_variant") == "prod");
  REQUIRE(p.set({{"os_variant", "odd"}}));
  CHECK(p.now("os_variant") == value{});
}

TEST_CASE("a release that a device's host or supervisor should be cannot be removed") {
  provided p;
  const auto os = p.release(p.host, "6.0.0");
  const auto supervisor = p.release(p.supervisor, "17.0.0");
  // Newer ones are the applications' own targets.
  p.release(p.host, "6.1.0");
  p.release(p.supervisor, "17.1.0");
  REQUIRE(
    p.set({{"should_be_operated_by__release", os}, {"should_be_managed_by__release", supervisor}}));
  CHECK(breaks_a_rule(p.i.remove(p.platform, "release", os)));
  CHECK(breaks_a_rule(p.i.remove(p.platform, "release", supervisor)));
  REQUIRE(
    p.set({{"should_be_operated_by__release", null{}}, {"should_be_managed_by__release", null{}}}));
  CHECK(p.i.remove(p.platform, "release", os));
  CHECK(p.i.remove(p.platform, "release", supervisor));
}
