#include "cli/build_context.hpp"
#include "cli/project.hpp"
#include "tests/cli/temp_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>

#include <map>

using namespace slipway;
using namespace slipway::cli;
using tests::temp_folder;

namespace {

/// Names in a tar and what they hold; links as `-> target`, folders as "dir".
std::map<std::string, std::string> unpack(build_context& c) {
  std::string bytes;
  char buffer[4096];
  for (auto n = c.read(buffer, sizeof buffer); n > 0; n = c.read(buffer, sizeof buffer)) {
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  std::map<std::string, std::string> out;
  auto* a = archive_read_new();
  archive_read_support_format_tar(a);
  REQUIRE(archive_read_open_memory(a, bytes.data(), bytes.size()) == ARCHIVE_OK);
  archive_entry* e = nullptr;
  while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
    std::string content;
    if (archive_entry_filetype(e) == AE_IFDIR) {
      content = "dir";
    } else if (archive_entry_filetype(e) == AE_IFLNK) {
      content = std::string("-> ") + archive_entry_symlink(e);
    } else {
      content.resize(static_cast<std::size_t>(archive_entry_size(e)));
      REQUIRE(
        archive_read_data(a, content.data(), content.size())
        == static_cast<la_ssize_t>(content.size()));
    }
    CHECK(archive_entry_uid(e) == 0);
    out[archive_entry_pathname(e)] = content;
  }
  archive_read_free(a);
  return out;
}

}  // namespace

TEST_CASE("a build context holds what the engine needs and nothing that is ignored") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write(".dockerignore", "*\n!src\nsrc/secret\n");
  f.write("src/main.c", "int main;");
  f.write("src/secret", "s");
  f.write("other", "o");
  f.write(".git/config", "g");
  std::filesystem::create_symlink("main.c", f.path / "src" / "link");
  auto c = build_context::pack(f.path, "Dockerfile", f.path.string());
  REQUIRE(c);
  CHECK(
    unpack(*c)
    == std::map<std::string, std::string>{
      {"Dockerfile", "FROM x\n"},
      {".dockerignore", "*\n!src\nsrc/secret\n"},
      {"src/", "dir"},
      {"src/main.c", "int main;"},
      {"src/link", "-> main.c"}});
}

TEST_CASE("a build context without folder or Dockerfile is refused") {
  const temp_folder f;
  CHECK(
    build_context::pack(f.path / "none", "Dockerfile", "/tmp").error().code
    == messages::errc::not_found);
  CHECK(
    build_context::pack(f.path, "Dockerfile", "/tmp").error().code == messages::errc::not_found);
}

TEST_CASE("a project is its compose file, or else its Dockerfile") {
  const temp_folder f;
  CHECK(read_project(f.path).error().code == messages::errc::not_found);
  CHECK(read_project(f.path / "none").error().code == messages::errc::not_found);
  f.write("Dockerfile.template", "FROM x\n");
  CHECK(read_project(f.path).value().composition.services[0].name == "main");
  f.write("docker-compose.yml", "services: {web: {image: x}}\n");
  CHECK(read_project(f.path).value().composition.services[0].name == "web");
  CHECK(read_project(f.path / "docker-compose.yml").value().folder == f.path);
  f.write("docker-compose.yml", "services: {web: {}}\n");
  CHECK(
    read_project(f.path).error().detail
    == "docker-compose.yml:1: service \"web\": needs build or image");
}

TEST_CASE("balena.yml gives the release its contract and version") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write("balena.yml", "type: sw.application\nname: n\nversion: 1.2.3\n");
  const auto p = read_project(f.path);
  REQUIRE(p);
  CHECK(p->semver == "1.2.3");
  CHECK(p->contract["name"] == "n");
  f.write("balena.yml", "type: nonsense\n");
  CHECK_FALSE(read_project(f.path));
}
