#include "domain/release_version.hpp"

#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace slipway;
using domain::parse_semver;
using domain::semver;

TEST_CASE("a semantic version is taken apart") {
  CHECK(parse_semver("1.2.3") == semver{1, 2, 3, "", ""});
  CHECK(parse_semver("0.0.0") == semver{});
  CHECK(parse_semver("1.2.3-beta.1+build-7") == semver{1, 2, 3, "beta.1", "build-7"});
  CHECK(parse_semver("1.2.3+a-b") == semver{1, 2, 3, "", "a-b"});
  CHECK(parse_semver("1.2.3-0.0a+007") == semver{1, 2, 3, "0.0a", "007"});
  CHECK(parse_semver("1.2.3-a-b") == semver{1, 2, 3, "a-b", ""});
}

TEST_CASE("what is no semantic version is refused") {
  const auto* const wrong = GENERATE(
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "v1.2.3",
    "01.2.3",
    "1.2.-3",
    "1.2.3-",
    "1.2.3+",
    "1.2.3-a..b",
    "1.2.3-.a",
    "1.2.3-a.",
    "1.2.3-01",
    "1.2.3-rc.00",
    "1.2.3 ",
    " 1.2.3",
    "1.2.3-\xc3\xa9",
    "99999999999999999999.0.0");
  INFO(wrong);
  const auto v = parse_semver(wrong);
  REQUIRE_FALSE(v);
  CHECK(v.error().code == messages::errc::rule_violated);
}

namespace {

struct versions {
  tests::installation i;
  std::int64_t user = i.given_user("ann");
  std::int64_t fleet = i.given_fleet(user, "cars");
  int commits = 0;

  std::int64_t release(tests::named_values values) {
    values.emplace_back("belongs_to__application", fleet);
    values.emplace_back("commit", "c" + std::to_string(++commits));
    return i.given("release", std::move(values));
  }
  [[nodiscard]] std::string raw(std::int64_t id) const {
    return i.text_of("release", id, "raw_version");
  }
};

}  // namespace

TEST_CASE("releases without a version are 0.0.0, 0.0.0+rev1, 0.0.0+rev2") {
  versions v;
  CHECK(v.raw(v.release({})) == "0.0.0");
  CHECK(v.raw(v.release({})) == "0.0.0+rev1");
  CHECK(v.raw(v.release({})) == "0.0.0+rev2");
}

TEST_CASE("revisions are counted per version, prerelease and variant") {
  versions v;
  CHECK(v.raw(v.release({{"semver", "1.2.3"}})) == "1.2.3");
  CHECK(v.raw(v.release({{"semver", "1.2.4"}})) == "1.2.4");
  CHECK(v.raw(v.release({{"semver", "1.2.3-rc"}})) == "1.2.3-rc");
  CHECK(v.raw(v.release({{"semver", "1.2.3"}, {"variant", "dev"}})) == "1.2.3+dev");
  CHECK(v.raw(v.release({{"semver", "1.2.3"}})) == "1.2.3+rev1");
  CHECK(v.raw(v.release({{"semver", "1.2.3"}, {"variant", "dev"}})) == "1.2.3+rev1.dev");
}

TEST_CASE("a given build stays in front of the revision, which it may name itself") {
  versions v;
  CHECK(v.raw(v.release({{"semver", "2.0.0+b1"}})) == "2.0.0+b1");
  CHECK(v.raw(v.release({{"semver", "2.0.0+b2"}})) == "2.0.0+b2.rev1");
  CHECK(v.raw(v.release({{"semver", "2.0.0+rev2"}})) == "2.0.0+rev2");
}

TEST_CASE("a build that only looks like the revision does not hide it") {
  versions v;
  static_cast<void>(v.release({{"semver", "2.0.0"}}));
  CHECK(v.raw(v.release({{"semver", "2.0.0+rev10"}})) == "2.0.0+rev10.rev1");
  CHECK(v.raw(v.release({{"semver", "2.0.0+prev2"}})) == "2.0.0+prev2.rev2");
}

TEST_CASE("a draft carries its creation time instead of a revision") {
  versions v;
  const auto draft = v.release({{"semver", "1.2.3"}, {"is_final", false}});
  CHECK(v.raw(draft) == "1.2.3-1700000000000");
  const auto beta = v.release({{"semver", "1.2.3-beta"}, {"is_final", false}, {"variant", "dev"}});
  CHECK(v.raw(beta) == "1.2.3-beta.1700000000000+dev");
  CHECK_FALSE(messages::as_bool(v.i.of("release", draft, "is_final")));
}

TEST_CASE("a version as a document has its parts as numbers and lists") {
  versions v;
  static_cast<void>(v.release({{"semver", "1.2.3-beta.1+b7"}}));
  const auto id = v.release({{"semver", "1.2.3-beta.1+b7"}});
  const auto j = nlohmann::json::parse(v.i.text_of("release", id, "version"));
  CHECK(j["raw"] == "1.2.3-beta.1+b7.rev1");
  CHECK(j["major"] == 1);
  CHECK(j["minor"] == 2);
  CHECK(j["patch"] == 3);
  CHECK(j["prerelease"] == nlohmann::json::parse(R"(["beta", "1"])"));
  CHECK(j["build"] == nlohmann::json::parse(R"(["b7", "rev1"])"));
  CHECK(j["version"] == "1.2.3-beta.1");
}
