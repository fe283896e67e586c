#include "cli/settings.hpp"

#include "tests/cli/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>

using namespace slipway;
using namespace slipway::cli;
using tests::temp_folder;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
  struct stat s {};
  REQUIRE(::stat(path.c_str(), &s) == 0);
  return s.st_mode & 0777U;
}

}  // namespace

TEST_CASE("a saved login is found again and only its owner can read it") {
  const temp_folder home;
  environment e;
  e.config_home = home.path / "config";
  auto s = settings::load(e);
  REQUIRE(s);
  s->current = "http://a:1";
  s->logins["http://a:1"] = {"secret", "ann"};
  REQUIRE(s->save());
  CHECK(mode_of(s->file()) == 0600);
  CHECK(mode_of(s->file().parent_path()) == 0700);
  const auto again = settings::load(e);
  REQUIRE(again);
  CHECK(again->current == "http://a:1");
  CHECK(again->logins.at("http://a:1").token == "secret");
}

TEST_CASE("a damaged login file is told by name") {
  const temp_folder home;
  home.write("slipway/logins.json", "{]");
  environment e;
  e.config_home = home.path;
  const auto s = settings::load(e);
  REQUIRE_FALSE(s);
  CHECK(s.error().detail.find("logins.json is damaged") != std::string::npos);
}

TEST_CASE("the server is the option, else the environment, else the last login, else local") {
  environment e;
  settings s;
  CHECK(choose_server("", e, s).value() == "http://127.0.0.1:8080");
  s.current = "https://saved";
  CHECK(choose_server("", e, s).value() == "https://saved");
  e.server = "https://environment/";
  CHECK(choose_server("", e, s).value() == "https://environment");
  CHECK(choose_server("http://option:80", e, s).value() == "http://option:80");
  CHECK_FALSE(choose_server("option:80", e, s));
  CHECK_FALSE(choose_server("ftp://x", e, s));
}

TEST_CASE("a private file is not replaced unless asked, and is 0600") {
  const temp_folder folder;
  const auto path = folder.path / "config.json";
  REQUIRE(write_private_file(path, "one", false));
  CHECK(mode_of(path) == 0600);
  const auto again = write_private_file(path, "two", false);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == messages::errc::unique_violated);
  CHECK(read_small_file(path.string()).value() == "one");
  REQUIRE(write_private_file(path, "two", true));
  CHECK(read_small_file(path.string()).value() == "two");
  CHECK_FALSE(write_private_file(folder.path / "no" / "folder", "x", false));
  // No half-written file stays behind.
  CHECK(
    std::distance(
      std::filesystem::directory_iterator(folder.path),
      std::filesystem::directory_iterator{})
    == 1);
}

TEST_CASE("a secret is the first line of its file and never empty") {
  const temp_folder folder;
  folder.write("p", "pass word\r\nmore\n");
  folder.write("empty", "\nx");
  CHECK(read_secret((folder.path / "p").string()).value() == "pass word");
  CHECK_FALSE(read_secret((folder.path / "empty").string()));
  CHECK(read_secret((folder.path / "none").string()).error().code == messages::errc::not_found);
  folder.write("big", std::string((1U << 20U) + 1, 'x'));
  CHECK(read_secret((folder.path / "big").string()).error().code == messages::errc::too_large);
}
