#include "gateways/git/head.hpp"
#include "gateways/git/hook.hpp"

#include <catch2/catch.hpp>

using namespace slipway::gateways::git;

namespace {

const std::string none(40, '0');
const std::string old_commit(40, 'a');
const std::string new_commit(40, 'b');

push_plan plan(std::vector<ref_change> changes, std::string_view branch = "") {
  return plan_push(changes, release_refs(branch), "refs/heads/main");
}

}  // namespace

TEST_CASE("a push to the release branch is built, others are only kept") {
  const auto built = plan({{old_commit, new_commit, "refs/heads/main"}});
  REQUIRE(built.build);
  CHECK(built.build->after == new_commit);
  CHECK(built.notes.empty());
  const auto kept =
    plan({{none, new_commit, "refs/heads/feature"}, {none, new_commit, "refs/tags/main"}});
  CHECK_FALSE(kept.build);
  CHECK(kept.refusal.empty());
  REQUIRE(kept.notes.size() == 2);
  CHECK(kept.notes[0] == "feature is kept and not built: main is the release branch");
}

TEST_CASE("main and master are release branches unless the fleet names one") {
  CHECK(plan({{none, new_commit, "refs/heads/master"}}).build);
  CHECK_FALSE(plan({{none, new_commit, "refs/heads/main"}}, "deploy").build);
  CHECK(plan({{none, new_commit, "refs/heads/deploy"}}, "deploy").build);
}

TEST_CASE("a push of several refs makes at most one build") {
  const auto both = plan(
    {{none, old_commit, "refs/heads/master"},
     {none, new_commit, "refs/heads/main"},
     {none, new_commit, "refs/heads/x"}});
  REQUIRE(both.build);
  CHECK(both.build->ref == "refs/heads/main");
  CHECK(both.notes.size() == 2);
}

TEST_CASE("the release branch cannot be deleted, others can") {
  CHECK_THAT(
    plan({{old_commit, none, "refs/heads/main"}}).refusal,
    Catch::Contains("cannot be deleted"));
  const auto other =
    plan({{old_commit, none, "refs/heads/x"}, {old_commit, none, "refs/heads/master"}});
  CHECK(other.refusal.empty());
  CHECK_FALSE(other.build);
}

TEST_CASE("what git tells its hooks is read strictly") {
  const auto line = old_commit + " " + new_commit + " refs/heads/main\n";
  const auto two = parse_changes(line + line);
  REQUIRE(two);
  CHECK(two->size() == 2);
  CHECK(two->front().ref == "refs/heads/main");
  CHECK(parse_changes("")->empty());
  CHECK_FALSE(parse_changes("x\n"));
  CHECK_FALSE(parse_changes(old_commit + new_commit + " refs/heads/main\n"));
  CHECK_FALSE(parse_changes(old_commit + " " + new_commit + " \n"));
}
