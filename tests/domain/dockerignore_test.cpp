#include "domain/dockerignore.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace slipway;
using namespace slipway::domain;

namespace {

bool glob_matches(std::string_view pattern, std::string_view path) {
  return glob(pattern).matches(path);
}

}  // namespace

TEST_CASE("ignore patterns match as the engine's own client matches them") {
  CHECK(glob_matches("*.o", "a.o"));
  CHECK_FALSE(glob_matches("*.o", "d/a.o"));
  CHECK(glob_matches("**/*.o", "d/e/a.o"));
  CHECK(glob_matches("**/*.o", "a.o"));
  CHECK(glob_matches("d/**", "d/e/f"));
  CHECK(glob_matches("a?c", "abc"));
  CHECK_FALSE(glob_matches("a?c", "a/c"));
  CHECK(glob_matches("[a-c]x", "bx"));
  CHECK_FALSE(glob_matches("[^a-c]x", "bx"));
  CHECK_FALSE(glob_matches("[abc", "a"));
  CHECK(glob_matches("\\*", "*"));
  CHECK(glob_matches("**", "a/b"));
  CHECK(glob_matches("a/**/z", "a/z"));
  CHECK(glob_matches("a/**/z", "a/b/c/z"));
  CHECK_FALSE(glob_matches("a/**/z", "a/bz"));
  CHECK(glob_matches("**/b/*.c", "x/a/b/b/q.c"));
  CHECK(glob_matches("*a**b", "aab"));
  CHECK_FALSE(glob_matches("**b", "ab"));
  CHECK(glob_matches("a*b*c", "abbbbc"));
  CHECK_FALSE(glob_matches("a*c", "a/c"));
  CHECK(glob_matches("a*/b?[x-z]*", "aa/bcyq"));
  CHECK_FALSE(glob_matches("*[abc", "a"));
}

TEST_CASE("the last rule that matches a path or its parent decides") {
  const dockerignore rules("# comment\n\n node_modules \n*.log\n!keep.log\n/build/\nkeep.log.d\n");
  CHECK(rules.excludes("node_modules"));
  CHECK(rules.excludes("node_modules/x/y.js"));
  CHECK(rules.excludes("a.log"));
  CHECK_FALSE(rules.excludes("keep.log"));
  CHECK(rules.excludes("build/x"));
  CHECK_FALSE(rules.excludes("src/build"));
  CHECK_FALSE(dockerignore("").excludes("x"));
}

TEST_CASE("a pattern made to be slow is not") {
  std::string pattern;
  for (int i = 0; i < 60; ++i) {
    pattern += "**/*a*";
  }
  const std::string path(1024, 'a');
  const glob slow(pattern + "b");
  for (int i = 0; i < 20; ++i) {
    CHECK_FALSE(slow.matches(path));
  }
}

TEST_CASE("the rules of a project are asked with paths of its services") {
  messages::service_plan s;
  s.context = "services/web";
  s.dockerignore = "services/web/dist\n**/*.log\n";
  const auto root = context_filter(s);
  CHECK(root("dist/a.js"));
  CHECK(root("deep/a.log"));
  CHECK_FALSE(root("services/web/dist"));
  s.dockerignore_folder = "services";
  s.dockerignore = "web/dist\n";
  CHECK(context_filter(s)("dist"));
  s.dockerignore_folder = s.context;
  s.dockerignore = "dist\n";
  const auto own = context_filter(s);
  CHECK(own("dist"));
  CHECK_FALSE(own("web/dist"));
  s.dockerignore = "";
  CHECK_FALSE(context_filter(s)("dist"));
}

TEST_CASE("an excluded folder is looked into only where a rule can bring something back") {
  const dockerignore rules("*\n!src/*/keep\n!docs\n");
  CHECK(rules.may_come_back_below("src"));
  CHECK(rules.may_come_back_below("src/a"));
  CHECK_FALSE(rules.may_come_back_below("src/a/b"));
  CHECK_FALSE(rules.may_come_back_below("node_modules"));
  CHECK_FALSE(rules.may_come_back_below("docs"));  // it came back itself
  CHECK(dockerignore("a\n!**/keep").may_come_back_below("a/b/c"));
  CHECK(dockerignore("a\n!a/b**").may_come_back_below("a"));
  CHECK_FALSE(dockerignore("a\n!b/c").may_come_back_below("a"));
  CHECK_FALSE(dockerignore("a").may_come_back_below("a"));
}
