#include "cli/build_context.hpp"
#include "cli/project.hpp"
#include "tests/cli/temp_folder.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

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

domain::project_target rpi() {
  domain::project_target t;
  t.device_type = "raspberrypi4-64";
  t.architecture = "aarch64";
  t.fleet = "boats";
  t.release = "abc123";
  return t;
}

messages::build_plan plan_of(const temp_folder& f, const domain::project_target& t = rpi()) {
  auto p = read_project(f.path);
  REQUIRE(p);
  const auto planned = plan_for(*p, t);
  INFO((planned ? "" : planned.error().detail));
  REQUIRE(planned);
  return p->plan;
}

std::map<std::string, std::string> context_of(const temp_folder& f) {
  const auto plan = plan_of(f);
  auto c = build_context::pack(f.path, plan.services.at(0), f.path.string());
  REQUIRE(c);
  return unpack(*c);
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
  std::filesystem::create_symlink("loop", f.path / "src" / "loop");
  CHECK(
    context_of(f)
    == std::map<std::string, std::string>{
      {"Dockerfile", "FROM x\n"},
      {".dockerignore", "*\n!src\nsrc/secret\n"},
      {"src/", "dir"},
      {"src/main.c", "int main;"},
      {"src/link", "-> main.c"},
      {"src/loop", "-> loop"}});
}

TEST_CASE("a build context without folder or Dockerfile is refused") {
  const temp_folder f;
  messages::service_plan s;
  s.dockerfile = "Dockerfile";
  CHECK(build_context::pack(f.path, s, "/tmp").error().code == messages::errc::not_found);
  s.context = "none";
  CHECK(build_context::pack(f.path, s, "/tmp").error().code == messages::errc::not_found);
}

TEST_CASE("the Dockerfile of a context is the one for the device, filled in") {
  const temp_folder f;
  f.write("docker-compose.yml", "services: {web: {build: ./web}}\n");
  f.write("web/Dockerfile", "FROM plain\n");
  f.write("web/Dockerfile.template", "FROM x-%%BALENA_ARCH%%\n# %%BALENA_ARCH%%\n");
  CHECK(context_of(f)["Dockerfile.template"] == "FROM x-aarch64\n# %%BALENA_ARCH%%\n");
  f.write(
    "web/Dockerfile.aarch64",
    "FROM %%BALENA_MACHINE_NAME%%\nENV A=%%BALENA_SERVICE_NAME%% B=%%BALENA_APP_NAME%% "
    "C=%%BALENA_RELEASE_HASH%%\n");
  CHECK(
    context_of(f)
    == std::map<std::string, std::string>{
      {"Dockerfile", "FROM plain\n"},
      {"Dockerfile.aarch64", "FROM raspberrypi4-64\nENV A=web B=boats C=abc123\n"},
      {"Dockerfile.template", "FROM x-%%BALENA_ARCH%%\n# %%BALENA_ARCH%%\n"}});
  CHECK(plan_of(f).services[0].project_type == "Architecture-specific Dockerfile");
  f.write("web/Dockerfile.raspberrypi4-64", "FROM %%BALENA_ARCH%%\n");
  CHECK(plan_of(f).services[0].dockerfile == "Dockerfile.raspberrypi4-64");
  CHECK(context_of(f)["Dockerfile.raspberrypi4-64"] == "FROM aarch64\n");
}

TEST_CASE("a Dockerfile that is a link is packed as the file that it leads to") {
  const temp_folder f;
  f.write("docker-compose.yml", "services: {web: {build: ./web}}\n");
  f.write("common/Dockerfile.template", "FROM %%BALENA_ARCH%%\n");
  f.write("web/file", "f");
  std::filesystem::create_symlink(
    "../common/Dockerfile.template",
    f.path / "web" / "Dockerfile.template");
  CHECK(context_of(f)["Dockerfile.template"] == "FROM aarch64\n");
}

TEST_CASE("what only builds know gives arguments and stays out of a context") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write(".balena/balena.yml", "build-variables: {global: [COLOUR=red]}\n");
  f.write("src/.balena/file", "f");
  auto t = rpi();
  t.variables = {{"COLOUR", "blue"}, {"SIZE", "small"}};
  CHECK(
    plan_of(f, t).services[0].args
    == std::vector<messages::name_value>{{"COLOUR", "red"}, {"SIZE", "small"}});
  CHECK(
    context_of(f)
    == std::map<std::string, std::string>{
      {"Dockerfile", "FROM x\n"},
      {"src/", "dir"},
      {"src/.balena/", "dir"},
      {"src/.balena/file", "f"}});
  f.write(".balena/secrets/token", "t");
  f.write(".balena/balena.yml", "build-secrets: {global: [{source: token, dest: token}]}\n");
  CHECK(read_project(f.path).error().code == messages::errc::unsupported);
}

TEST_CASE("a .dockerignore that cannot be read ends a deploy with its name") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  std::filesystem::create_symlink(".dockerignore", f.path / ".dockerignore");  // a circle
  const auto p = read_project(f.path);
  REQUIRE_FALSE(p);
  CHECK(p.error().code == messages::errc::io_failed);
  CHECK(p.error().detail.starts_with(".dockerignore:1: "));
}

TEST_CASE("each service's own .dockerignore rules its context in a deploy") {
  const temp_folder f;
  f.write("docker-compose.yml", "services: {web: {build: ./web}}\n");
  f.write(".dockerignore", "web/kept\n");
  f.write("web/.dockerignore", "out\n");
  f.write("web/Dockerfile", "FROM x\n");
  f.write("web/kept", "k");
  f.write("web/out", "o");
  CHECK(
    context_of(f)
    == std::map<std::string, std::string>{
      {".dockerignore", "out\n"},
      {"Dockerfile", "FROM x\n"},
      {"kept", "k"}});
}

TEST_CASE("a project is its compose file, or else its Dockerfile") {
  const temp_folder f;
  CHECK(read_project(f.path).error().code == messages::errc::not_found);
  CHECK(read_project(f.path / "none").error().code == messages::errc::not_found);
  f.write("Dockerfile.template", "FROM x\n");
  CHECK(read_project(f.path).value().plan.services[0].name == "main");
  f.write("docker-compose.yml", "services: {web: {image: x}}\n");
  CHECK(read_project(f.path).value().plan.services[0].name == "web");
  CHECK(read_project(f.path / "docker-compose.yml").value().folder == f.path);
  f.write("other.yml", "services: {db: {image: x}}\n");
  CHECK(read_project(f.path / "other.yml").value().plan.services[0].name == "db");
  f.write("docker-compose.yml", "services: {web: {}}\n");
  CHECK(
    read_project(f.path).error().detail
    == "docker-compose.yml:1: service \"web\": needs build or image");
  f.write("other.yml", "services: {db: {}}\n");
  CHECK(
    read_project(f.path / "other.yml").error().detail
    == "other.yml:1: service \"db\": needs build or image");
}

TEST_CASE("a Dockerfile that there is not for a device is told once the device is known") {
  const temp_folder f;
  f.write("docker-compose.yml", "services: {web: {build: ./web}}\n");
  f.write("web/Dockerfile.armv7hf", "FROM x\n");
  auto p = read_project(f.path);
  REQUIRE(p);
  CHECK(
    plan_for(*p, rpi()).error().detail
    == "docker-compose.yml:1: service \"web\": web/Dockerfile does not exist");
  auto t = rpi();
  t.architecture = "armv7hf";
  CHECK(plan_for(*p, t));
  CHECK(p->plan.services[0].dockerfile == "Dockerfile.armv7hf");
}

TEST_CASE("balena.yml gives the release its contract and version") {
  const temp_folder f;
  f.write("Dockerfile", "FROM x\n");
  f.write("balena.yml", "type: sw.application\nname: n\nversion: 1.2.3\n");
  const auto p = read_project(f.path);
  REQUIRE(p);
  CHECK(p->plan.semver == "1.2.3");
  CHECK(nlohmann::json::parse(p->plan.contract)["name"] == "n");
  f.write("balena.yml", "type: nonsense\n");
  CHECK_FALSE(read_project(f.path));
}
