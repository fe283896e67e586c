#include "domain/project_plan.hpp"

#include "domain/balena_settings.hpp"
#include "domain/project_templates.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

using namespace slipway;
using namespace slipway::domain;
using messages::errc;
using messages::name_value;

namespace {

using tree = std::map<std::string, std::string>;

project_files files_of(const tree& files) {
  return {
    [&files](std::string_view path) -> messages::result<std::optional<std::string>> {
      const auto it = files.find(std::string(path));
      return it == files.end() ? std::nullopt : std::optional(it->second);
    },
    [&files](std::string_view folder) {
      std::set<std::string> names;
      const auto prefix = folder.empty() ? std::string{} : std::string(folder) + "/";
      for (const auto& [path, text] : files) {
        if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos) {
          names.insert(path.substr(prefix.size()));
        }
      }
      return std::vector(names.begin(), names.end());
    }};
}

project_target rpi() {
  project_target t;
  t.device_type = "raspberrypi4-64";
  t.architecture = "aarch64";
  t.fleet = "boats";
  t.release = "abc123";
  return t;
}

messages::build_plan plan(const tree& files, const project_target& t = rpi()) {
  const auto p = plan_project(files_of(files), t);
  INFO((p ? "" : p.error().detail));
  REQUIRE(p);
  return *p;
}

messages::error refusal(const tree& files, const project_target& t = rpi()) {
  const auto p = plan_project(files_of(files), t);
  REQUIRE_FALSE(p);
  return p.error();
}

/// The files of a folder.
tree folder(const std::string& path) {
  tree files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) {
      std::ifstream in(entry.path(), std::ios::binary);
      files[entry.path().lexically_relative(path).string()] = {
        std::istreambuf_iterator<char>(in),
        {}};
    }
  }
  return files;
}

const std::string two_services = R"(version: "2.4"
services:
  web:
    build:
      context: ./web
      target: run
      args: {COLOUR: red, SIZE: small}
    labels: {io.x: "1"}
  db:
    image: debian:12
volumes: {data: }
)";

}  // namespace

TEST_CASE("a lone Dockerfile is planned as the service main") {
  const auto p = plan({{"Dockerfile", "FROM x\n"}});
  REQUIRE(p.services.size() == 1);
  const auto& s = p.services[0];
  CHECK(s.name == "main");
  CHECK(s.context.empty());
  CHECK(s.dockerfile == "Dockerfile");
  CHECK(s.dockerfile_text == "FROM x\n");
  CHECK(s.project_type == "Standard Dockerfile");
  CHECK(s.labels.size() == 5);
  CHECK(nlohmann::json::parse(p.composition)["services"]["main"]["network_mode"] == "host");
  CHECK(p.contract.empty());
}

TEST_CASE("a Dockerfile is found by device type, architecture, template, in this order") {
  tree files{{"Dockerfile", "plain %%BALENA_ARCH%%"}};
  CHECK(plan(files).services[0].dockerfile_text == "plain %%BALENA_ARCH%%");
  files["Dockerfile.template"] = "t %%BALENA_ARCH%%";
  CHECK(plan(files).services[0].dockerfile_text == "t aarch64");
  CHECK(plan(files).services[0].project_type == "Dockerfile.template");
  files["Dockerfile.aarch64"] = "a %%RESIN_ARCH%%";
  CHECK(plan(files).services[0].dockerfile_text == "a aarch64");
  CHECK(plan(files).services[0].project_type == "Architecture-specific Dockerfile");
  files["Dockerfile.raspberrypi4-64"] = "d %%RESIN_MACHINE_NAME%%";
  CHECK(plan(files).services[0].dockerfile_text == "d raspberrypi4-64");
  CHECK(plan(files).services[0].dockerfile == "Dockerfile.raspberrypi4-64");
}

TEST_CASE("the Dockerfile that the client names is taken, its variants first") {
  auto t = rpi();
  t.dockerfile_path = "docker/Build";
  tree files{{"Dockerfile", "no"}, {"docker/Build", "yes"}};
  CHECK(plan(files, t).services[0].dockerfile == "docker/Build");
  files["docker/Build.aarch64"] = "yes";
  CHECK(plan(files, t).services[0].dockerfile == "docker/Build.aarch64");
  t.dockerfile_path = "../Dockerfile";
  CHECK(refusal(files, t).code == errc::invalid_argument);
  t.dockerfile_path = "none";
  CHECK(refusal(files, t).detail == "none:1: service \"main\": none does not exist");
}

TEST_CASE("a compose file that the client names is read in the place of the usual one") {
  auto t = rpi();
  t.compose_file = "other.yml";
  tree files{{"docker-compose.yml", "services: {a: {image: x}}\n"}};
  CHECK(refusal(files, t).code == errc::not_found);
  files["other.yml"] = "services: {b: {image: x}}\n";
  CHECK(plan(files, t).services[0].name == "b");
  files["other.yml"] = "services: {b: {}}\n";
  CHECK(refusal(files, t).detail == "other.yml:1: service \"b\": needs build or image");
}

TEST_CASE("without a device a project says all but its Dockerfiles") {
  auto t = rpi();
  t.device_known = false;
  const tree files{
    {"Dockerfile.armv7hf", "FROM x"},
    {"balena.yml", "type: sw.application\nname: n\nversion: 1.2.3\n"}};
  CHECK(refusal(files).code == errc::invalid_argument);
  const auto p = plan(files, t);
  CHECK(p.services[0].name == "main");
  CHECK(p.services[0].dockerfile.empty());
  CHECK(p.semver == "1.2.3");
}

TEST_CASE("template variables are replaced outside comments, unknown ones stay") {
  const template_variables v{{"BALENA_ARCH", "amd64"}, {"BALENA_APP_NAME", "boats"}};
  CHECK(fill_template("FROM x-%%BALENA_ARCH%%:%%BALENA_APP_NAME%%\n", v) == "FROM x-amd64:boats\n");
  CHECK(fill_template("# %%BALENA_ARCH%%\nRUN %%OTHER%%", v) == "# %%BALENA_ARCH%%\nRUN %%OTHER%%");
  CHECK(fill_template("%%%BALENA_ARCH%%%", v) == "%amd64%");
  CHECK(
    fill_template("%% BALENA_ARCH%% %%balena_arch%% %%", v)
    == "%% BALENA_ARCH%% %%balena_arch%% %%");
  CHECK(fill_template("", v).empty());
  const auto p = plan(
    {{"Dockerfile.template",
      "%%BALENA_APP_NAME%% %%BALENA_RELEASE_HASH%% %%RESIN_SERVICE_NAME%%"}});
  CHECK(p.services[0].dockerfile_text == "boats abc123 main");
}

TEST_CASE("a compose file says contexts, targets, arguments, labels and ready images") {
  const auto p = plan({{"docker-compose.yml", two_services}, {"web/Dockerfile", "FROM x"}});
  REQUIRE(p.services.size() == 2);
  const auto& web = p.services[0];
  CHECK(web.context == "web");
  CHECK(web.target == "run");
  CHECK(web.args == std::vector<name_value>{{"COLOUR", "red"}, {"SIZE", "small"}});
  CHECK(web.labels == std::vector<name_value>{{"io.x", "1"}});
  CHECK(p.services[1].image == "debian:12");
  CHECK(p.services[1].dockerfile.empty());
  CHECK(nlohmann::json::parse(p.composition)["volumes"].contains("data"));
}

TEST_CASE("what is missing or wrong in a project is told with file and line, all at once") {
  const auto e = refusal(
    {{"docker-compose.yml", two_services},
     {"balena.yml", "name: x\ntype: sw.os\nversion: one\n"},
     {".balena/balena.yml", "build-variables:\n  global:\n    - NOVALUE\n"}});
  CHECK(e.code == errc::invalid_argument);
  CHECK(
    e.detail
    == ".balena/balena.yml:3: build-variables: each is NAME=value\n"
       "docker-compose.yml:4: service \"web\": web/Dockerfile does not exist\n"
       "balena.yml:2: type must be sw.application or sw.block\n"
       "balena.yml:3: version must be a semantic version such as 1.2.3");
}

TEST_CASE("a folder that is no project, or only a package.json, is told as such") {
  CHECK(refusal({{"readme", ""}}).code == errc::not_found);
  const auto e = refusal({{"package.json", "{}"}});
  CHECK(e.code == errc::invalid_argument);
  CHECK(e.detail.find("not supported") != std::string::npos);
  CHECK(refusal({{"docker-compose.yml", "\x7f\x45LF"}}).code == errc::invalid_argument);
}

TEST_CASE("a fleet that runs one service refuses a project of several") {
  auto t = rpi();
  t.multicontainer = false;
  const auto e = refusal({{"docker-compose.yml", two_services}, {"web/Dockerfile", ""}}, t);
  CHECK(e.detail.starts_with("docker-compose.yml:10: the fleet's type runs one service"));
  CHECK(plan({{"Dockerfile", "FROM x"}}, t).services.size() == 1);
}

TEST_CASE("build variables nearer to the service win") {
  auto t = rpi();
  t.variables = {{"A", "fleet"}, {"B", "fleet"}, {"C", "fleet"}, {"D", "fleet"}};
  const auto p = plan(
    {{"docker-compose.yml",
      "services:\n  web: {build: {context: ., args: [B=compose, C=compose, D=compose]}}\n"},
     {"Dockerfile", ""},
     {".balena/balena.yml",
      "build-variables:\n  global: [C=all, D=all]\n  services:\n    web: {D: 4}\n    none: {X: "
      "y}\n"}},
    t);
  CHECK(
    p.services[0].args
    == std::vector<name_value>{{"A", "fleet"}, {"B", "compose"}, {"C", "all"}, {"D", "4"}});
  REQUIRE(p.warnings.size() == 1);
  CHECK(p.warnings[0] == ".balena:1: there is no service \"none\"");
}

TEST_CASE("build secrets are files of the secrets folder, for all services or for one") {
  const std::string yml =
    "build-secrets:\n"
    "  global:\n"
    "    - {source: a.txt, dest: one}\n"
    "  services:\n"
    "    main:\n"
    "      - source: sub/b.txt\n"
    "        dest: deep/two\n";
  for (const std::string folder : {".balena", ".resin"}) {
    tree files{
      {"Dockerfile", ""},
      {folder + "/balena.yml", yml},
      {folder + "/secrets/a.txt", "s"},
      {folder + "/secrets/sub/b.txt", "s"}};
    CHECK(
      plan(files).secrets
      == std::vector<messages::build_secret>{
        {"", folder + "/secrets/a.txt", "one"},
        {"main", folder + "/secrets/sub/b.txt", "deep/two"}});
    files.erase(folder + "/secrets/a.txt");
    CHECK(
      refusal(files).detail
      == folder + "/balena.yml:3: build-secrets: " + folder + "/secrets/a.txt does not exist");
  }
  for (const auto* bad : {"../x", "/etc/passwd", "a/../../b"}) {
    const auto text =
      std::string("build-secrets:\n  global:\n    - {source: ") + bad + ", dest: x}\n";
    CHECK(
      refusal({{"Dockerfile", ""}, {".balena/balena.yml", text}}).code == errc::invalid_argument);
  }
  CHECK(
    refusal({{"Dockerfile", ""}, {".balena/x", ""}, {".resin/x", ""}}).detail
    == ".resin:1: a project has .balena or .resin, not both");
}

TEST_CASE("registry secrets are read from JSON and YAML, the hub under one name") {
  const auto secrets = [](const std::string& file, const std::string& text) {
    return plan({{"Dockerfile", ""}, {".balena/" + file, text}}).registries;
  };
  const std::string hub = "https://index.docker.io/v1/";
  CHECK(
    secrets(
      "registry-secrets.json",
      R"({"docker.io":{"username":"a","password":"b"},"https://index.docker.io/v1/":{"username":"c","password":"d"},)"
      R"("https://eu.gcr.io/":{"username":"_json_key","password":"{\n}"},"r.example:5000":{"username":"u","password":"p"}})")
    == std::vector<messages::registry_secret>{
      {hub, "c", "d"},
      {"eu.gcr.io", "_json_key", "{\n}"},
      {"r.example:5000", "u", "p"}});
  CHECK(
    secrets("registry-secrets.yml", "'': {username: a, password: 'b'}\n")
    == std::vector<messages::registry_secret>{{hub, "a", "b"}});
  CHECK(registry_key("docker.io") == hub);
  CHECK(registry_key("http://idx.docker.io/v1/") == hub);
  CHECK(registry_key("a b").empty());
}

TEST_CASE("registry secrets that a client puts into .balena go with a project's .resin") {
  const auto p = plan(
    {{"Dockerfile", ""},
     {".balena/registry-secrets.json", R"({"r.example":{"username":"u","password":"p"}})"},
     {".resin/registry-secrets.yml", "r.example: {username: other, password: other}\n"},
     {".resin/resin.yml", "build-variables: {global: [A=1]}\n"}});
  CHECK(p.registries == std::vector<messages::registry_secret>{{"r.example", "u", "p"}});
  CHECK(p.services[0].args == std::vector<name_value>{{"A", "1"}});
}

TEST_CASE("no error about secrets quotes one") {
  for (const auto* text :
       {R"({"r.example":{"username":"u","password":"hunter2")",
        R"({"r.example":{"username":"u","password":["hunter2"]}})",
        R"({"r.example":"hunter2"})",
        R"(["hunter2"])"}) {
    const auto e = refusal({{"Dockerfile", ""}, {".balena/registry-secrets.json", text}});
    CHECK(e.detail.starts_with(".balena/registry-secrets.json:1: "));
    CHECK(e.detail.find("hunter2") == std::string::npos);
    const auto y = refusal({{"Dockerfile", ""}, {".balena/registry-secrets.yml", text}});
    CHECK(y.detail.find("hunter2") == std::string::npos);
  }
}

TEST_CASE("contracts of the release and of its services are kept") {
  const auto p = plan(
    {{"docker-compose.yml", two_services},
     {"web/Dockerfile", ""},
     {"web/contract.yml", "type: sw.container\nname: Web\nslug: web\n"},
     {"balena.yml", "type: sw.application\nname: n\nversion: 1.2.3-beta.1\n"}});
  CHECK(p.semver == "1.2.3-beta.1");
  CHECK(nlohmann::json::parse(p.contract)["name"] == "n");
  CHECK(nlohmann::json::parse(p.services[0].contract)["slug"] == "web");
  CHECK(
    refusal({{"Dockerfile", ""}, {"contract.yml", "type: sw.container\nname: x\n"}}).detail
    == "contract.yml:1: slug is missing or not text");
  CHECK(
    refusal({{"Dockerfile", ""}, {"balena.yml", "type: sw.block\nversion: 1.0\n"}}).detail
    == "balena.yml:2: version must be a semantic version such as 1.2.3");
}

TEST_CASE(
  "the project's .dockerignore rules all services, unless each has its own or the client has "
  "obeyed it") {
  const tree files{
    {"docker-compose.yml", two_services},
    {"web/Dockerfile", ""},
    {"web/.dockerignore", "own"},
    {".dockerignore", "roots"}};
  auto p = plan(files);
  CHECK(p.services[0].dockerignore == "roots");
  CHECK(p.services[0].dockerignore_folder.empty());
  REQUIRE(p.warnings.size() == 1);
  CHECK(p.warnings[0].starts_with("web/.dockerignore:1: not used"));
  auto t = rpi();
  t.multi_dockerignore = true;
  p = plan(files, t);
  CHECK(p.services[0].dockerignore == "own");
  CHECK(p.services[0].dockerignore_folder == "web");
  t.filtered = true;
  p = plan(files, t);
  CHECK(p.services[0].dockerignore.empty());
  CHECK(p.warnings.empty());
}

TEST_CASE("files and plans past a limit are refused by name") {
  const auto code = [](const tree& files) { return refusal(files).code; };
  CHECK(code({{"Dockerfile", std::string(dockerfile_bytes_max + 1, '#')}}) == errc::too_large);
  CHECK(code({{"Dockerfile", ""}, {".dockerignore", std::string(70'000, 'x')}}) == errc::too_large);
  std::string rules;
  for (int i = 0; i < 1'001; ++i) {
    rules += "a\n";
  }
  CHECK(code({{"Dockerfile", ""}, {".dockerignore", rules}}) == errc::too_large);
  std::string services = "services:\n";
  for (int i = 0; i < 40; ++i) {
    services += "  s" + std::to_string(i) + ": {build: .}\n";
  }
  const auto e =
    refusal({{"docker-compose.yml", services}, {"Dockerfile", std::string(200'000, '#')}});
  CHECK(e.code == errc::too_large);
  CHECK(e.detail.find("together larger than 4 MiB") != std::string::npos);
}

TEST_CASE("a billion laughs in any file of a project is refused quickly") {
  std::string bomb = "a0: &a0 " + std::string(1'000, 'x') + "\n";
  for (int i = 1; i < 12; ++i) {
    const auto before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) {
      bomb += before + (k < 8 ? "," : "]\n");
    }
  }
  const std::string wide = "a: &a " + std::string(200'000, 'x') + "\nb: [" + [] {
    std::string s;
    for (int i = 0; i < 1'000; ++i) {
      s += "*a,";
    }
    return s + "]\n";
  }();
  for (const auto& text : {bomb, wide}) {
    CHECK(refusal({{"docker-compose.yml", text}}).code == errc::too_large);
    for (const auto* file :
         {"balena.yml", ".balena/balena.yml", "contract.yml", ".balena/registry-secrets.yml"}) {
      CHECK(refusal({{"Dockerfile", ""}, {file, text}}).code == errc::too_large);
    }
  }
}

TEST_CASE("the example projects can be planned") {
  const std::string examples = SLIPWAY_SOURCE_DIR "/examples/";
  CHECK(plan(folder(examples + "hello")).services.size() == 2);
  CHECK(plan(folder(examples + "broken")).services.size() == 2);
  const auto multi = plan(folder(examples + "multi"));
  REQUIRE(multi.services.size() == 2);
  CHECK(multi.services[0].args == std::vector<name_value>{{"UNIT", "celsius"}});
  CHECK(multi.services[1].project_type == "Dockerfile.template");
  CHECK(
    multi.services[1].dockerfile_text.find("page for raspberrypi4-64 (aarch64)")
    != std::string::npos);
  CHECK(multi.warnings.empty());
}
