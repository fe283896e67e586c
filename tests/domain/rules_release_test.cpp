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
  int commits = 0;

  domain::decision release(tests::named_values more = {}) {
    i.now += 1000;
    more.emplace_back("belongs_to__application", fleet);
    const bool named =
      std::any_of(more.begin(), more.end(), [](const auto& v) { return v.first == "commit"; });
    if (!named) {
      more.emplace_back("commit", "c" + std::to_string(++commits));
    }
    return i.create(ann, "release", std::move(more));
  }
  domain::decision set(std::int64_t id, tests::named_values values) {
    return i.change(ann, "release", id, std::move(values));
  }
  [[nodiscard]] value target() const {
    return i.of("application", fleet, "should_be_running__release");
  }
};

}  // namespace

TEST_CASE("a release is final unless it is said to be a draft") {
  one_fleet f;
  const auto final_one = f.release().value();
  CHECK(f.i.of("release", final_one, "is_final") == value{true});
  CHECK(f.i.of("release", final_one, "revision") == value{std::int64_t{0}});
  CHECK(f.i.of("release", final_one, "is_finalized_at__date") == value{f.i.now});
  const auto draft = f.release({{"is_final", false}}).value();
  CHECK(f.i.of("release", draft, "is_final") == value{false});
  CHECK(messages::is_null(f.i.of("release", draft, "is_finalized_at__date")));
}

TEST_CASE("a draft is finalized once and takes the next revision") {
  one_fleet f;
  REQUIRE(f.release({{"semver", "1.0.0"}}));
  const auto draft = f.release({{"semver", "1.0.0"}, {"is_final", false}}).value();
  REQUIRE(f.set(draft, {{"is_final", true}}));
  CHECK(f.i.text_of("release", draft, "raw_version") == "1.0.0+rev1");
  const auto finalized = f.i.of("release", draft, "is_finalized_at__date");
  f.i.now += 1000;
  REQUIRE(f.set(draft, {{"is_final", true}}));
  CHECK(f.i.text_of("release", draft, "raw_version") == "1.0.0+rev1");
  CHECK(f.i.of("release", draft, "is_finalized_at__date") == finalized);
}

TEST_CASE("a finalized release cannot become a draft again") {
  one_fleet f;
  const auto id = f.release().value();
  CHECK(breaks_a_rule(f.set(id, {{"is_final", false}})));
}

TEST_CASE("a final release that is given another version does not take a version that is taken") {
  one_fleet f;
  const auto first = f.release({{"semver", "1.0.0"}}).value();
  const auto second = f.release({{"semver", "2.0.0"}}).value();
  static_cast<void>(f.set(second, {{"semver", "1.0.0"}}));
  CHECK(
    f.i.text_of("release", first, "raw_version") != f.i.text_of("release", second, "raw_version"));
}

TEST_CASE("a release needs a commit of letters and digits, and a known status and source") {
  one_fleet f;
  CHECK(breaks_a_rule(f.release({{"commit", ""}})));
  CHECK(breaks_a_rule(f.release({{"commit", "a b"}})));
  CHECK(breaks_a_rule(f.release({{"commit", "../x"}})));
  CHECK(breaks_a_rule(f.release({{"commit", std::string(41, 'a')}})));
  CHECK(breaks_a_rule(f.release({{"status", "splendid"}})));
  CHECK(breaks_a_rule(f.release({{"semver", "1.2"}})));
  CHECK(f.release({{"commit", std::string(40, 'a')}, {"source", "local"}}));
}

TEST_CASE("there is one successful release per fleet and commit") {
  one_fleet f;
  const auto first = f.release({{"commit", "abc"}}).value();
  const auto second = f.release({{"commit", "abc"}}).value();
  REQUIRE(f.set(first, {{"status", "success"}}));
  CHECK(breaks_a_rule(f.set(second, {{"status", "success"}})));
  CHECK(breaks_a_rule(f.release({{"commit", "abc"}, {"status", "success"}})));
  const auto other = f.i.given_fleet(f.user, "boats");
  CHECK(f.i.create(
    f.ann,
    "release",
    {{"belongs_to__application", other}, {"commit", "abc"}, {"status", "success"}}));
}

TEST_CASE(
  "a tracking fleet follows the latest release that is final, successful, tested and valid") {
  one_fleet f;
  const auto first = f.release().value();
  CHECK(messages::is_null(f.target()));  // still running
  REQUIRE(f.set(first, {{"status", "success"}}));
  CHECK(f.target() == value{first});
  const auto second = f.release({{"is_final", false}, {"status", "success"}}).value();
  CHECK(f.target() == value{first});
  REQUIRE(f.set(second, {{"is_final", true}}));
  CHECK(f.target() == value{second});
  CHECK(f.release({{"status", "success"}, {"is_passing_tests", false}}));
  CHECK(f.target() == value{second});
  REQUIRE(f.set(second, {{"is_invalidated", true}}));
  CHECK(f.target() == value{first});
  REQUIRE(f.set(second, {{"is_invalidated", false}}));
  CHECK(f.target() == value{second});
}

TEST_CASE("an older release that succeeds late does not replace a newer one") {
  one_fleet f;
  const auto slow = f.release().value();
  const auto quick = f.release({{"status", "success"}}).value();
  REQUIRE(f.set(slow, {{"status", "success"}}));
  CHECK(f.target() == value{quick});
}

TEST_CASE("the target stays when no release qualifies any more") {
  one_fleet f;
  const auto only = f.release({{"status", "success"}}).value();
  REQUIRE(f.set(only, {{"is_passing_tests", false}}));
  CHECK(f.target() == value{only});
}

TEST_CASE("a fleet that does not track keeps its target") {
  one_fleet f;
  const auto first = f.release({{"status", "success"}}).value();
  REQUIRE(f.i.change(f.ann, "application", f.fleet, {{"should_track_latest_release", false}}));
  REQUIRE(f.release({{"status", "success"}}));
  CHECK(f.target() == value{first});
}

TEST_CASE("a release that is a target or a pin cannot be removed, another goes with its parts") {
  one_fleet f;
  const auto pinned = f.i.given_release(f.fleet);
  f.i.now += 1000;
  const auto spare = f.i.given_release(f.fleet);
  f.i.now += 1000;
  const auto target = f.i.given_release(f.fleet);
  const auto device = f.i.given_device(f.fleet);
  REQUIRE(f.i.change(f.ann, "device", device, {{"is_pinned_on__release", pinned}}));
  static_cast<void>(
    f.i.given("release_tag", {{"release", spare}, {"tag_key", "k"}, {"value", "v"}}));
  CHECK(breaks_a_rule(f.i.remove(f.ann, "release", target)));
  CHECK(breaks_a_rule(f.i.remove(f.ann, "release", pinned)));
  REQUIRE(f.i.remove(f.ann, "release", spare));
  CHECK(f.i.where("release_image", "is_part_of__release", spare).empty());
  CHECK(f.i.count("release_tag") == 0);
  CHECK(f.i.count("image") == 3);
}

TEST_CASE("a release cannot move to another fleet") {
  one_fleet f;
  const auto id = f.release().value();
  const auto other = f.i.given_fleet(f.user, "boats");
  CHECK_FALSE(f.set(id, {{"belongs_to__application", other}}));
}

TEST_CASE("a new image is given a location of its own at the registry") {
  one_fleet f;
  const auto service = f.i.given_service(f.fleet, "main");
  const auto one = f.i.create(f.ann, "image", {{"is_a_build_of__service", service}}).value();
  const auto two = f.i.create(f.ann, "image", {{"is_a_build_of__service", service}}).value();
  const auto location = f.i.text_of("image", one, "is_stored_at__image_location");
  CHECK(location.starts_with("registry.test/v2/"));
  CHECK(location.size() == std::string("registry.test/v2/").size() + 32);
  CHECK(location != f.i.text_of("image", two, "is_stored_at__image_location"));
}

TEST_CASE("an image is successful once it was pushed, and its hash is a SHA-256") {
  one_fleet f;
  const auto service = f.i.given_service(f.fleet, "main");
  const auto id = f.i.create(f.ann, "image", {{"is_a_build_of__service", service}}).value();
  const auto set = [&](tests::named_values v) {
    return f.i.change(f.ann, "image", id, std::move(v));
  };
  CHECK(breaks_a_rule(set({{"status", "success"}})));
  CHECK(set({{"status", "success"}, {"push_timestamp", f.i.now}}));
  CHECK(breaks_a_rule(set({{"content_hash", "sha256:short"}})));
  CHECK(breaks_a_rule(set({{"content_hash", "sha256:" + std::string(64, 'g')}})));
  CHECK(set({{"content_hash", "sha256:" + std::string(64, 'a')}}));
}

TEST_CASE("an image and its release belong to the same fleet") {
  one_fleet f;
  const auto release = f.release().value();
  const auto other = f.i.given_fleet(f.user, "boats");
  const auto foreign =
    f.i.create(f.ann, "image", {{"is_a_build_of__service", f.i.given_service(other, "main")}})
      .value();
  CHECK(breaks_a_rule(
    f.i.create(f.ann, "release_image", {{"is_part_of__release", release}, {"image", foreign}})));
}

TEST_CASE("several images in a release need an application type with several containers") {
  one_fleet f;
  const auto single = f.i.given(
    "application_type",
    {{"name", "Single"}, {"slug", "single"}, {"supports_multicontainer", false}});
  REQUIRE(f.i.change(f.ann, "application", f.fleet, {{"application_type", single}}));
  const auto release = f.release().value();
  const auto add = [&](const char* service) {
    const auto image =
      f.i.given("image", {{"is_a_build_of__service", f.i.given_service(f.fleet, service)}});
    return f.i.create(f.ann, "release_image", {{"is_part_of__release", release}, {"image", image}});
  };
  CHECK(add("main"));
  CHECK(breaks_a_rule(add("side")));
}
