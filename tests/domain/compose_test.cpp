#include "domain/compose.hpp"

#include "domain/yaml_tree.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace slipway;

namespace {

std::string error_of(const std::string& text) {
  const auto c = domain::parse_compose(text, "docker-compose.yml");
  REQUIRE_FALSE(c);
  return c.error().detail;
}

domain::composition read(const std::string& text) {
  const auto c = domain::parse_compose(text, "docker-compose.yml");
  INFO((c ? "" : c.error().detail));
  REQUIRE(c);
  return *c;
}

/// A file whose one service has these lines.
std::string service(const std::string& lines) {
  return "services:\n  web:\n    image: debian:12\n" + lines;
}

}  // namespace

TEST_CASE("a compose file becomes services to build and a composition for devices") {
  const auto c = read(R"(version: '2.4'
services:
  web:
    build:
      context: ./web
      dockerfile: Dockerfile.web
      target: final
      args: [A=1, B=]
    environment:
      PORT: 8080
      DEBUG: true
      EMPTY:
    ports: ["80:8080", 9000]
    volumes: ["data:/data:ro"]
    depends_on: [db]
    labels:
      - io.balena.features.dbus=1
  db:
    image: postgres:15
    restart: always
volumes:
  data:
)");
  REQUIRE(c.services.size() == 2);
  const auto& web = c.services[0];
  CHECK(web.name == "web");
  REQUIRE(web.build);
  CHECK(web.build->context == "./web");
  CHECK(web.build->dockerfile == "Dockerfile.web");
  CHECK(web.build->target == "final");
  CHECK(web.build->args == std::vector<std::pair<std::string, std::string>>{{"A", "1"}, {"B", ""}});
  CHECK(
    web.labels
    == std::vector<std::pair<std::string, std::string>>{{"io.balena.features.dbus", "1"}});
  CHECK(c.services[1].image == "postgres:15");
  CHECK_FALSE(c.services[1].build);

  const auto& j = c.json;
  CHECK(j["version"] == "2.4");
  CHECK(j["volumes"] == nlohmann::json::parse(R"({"data": {}})"));
  const auto& s = j["services"]["web"];
  CHECK(
    s["environment"] == nlohmann::json::parse(R"({"PORT": "8080", "DEBUG": "true", "EMPTY": ""})"));
  CHECK(s["ports"] == nlohmann::json::parse(R"(["80:8080", "9000"])"));
  CHECK(s["build"]["args"]["A"] == "1");
  CHECK(c.warnings.empty());
}

TEST_CASE("version 3 and a file without a version are read too") {
  CHECK(read("version: '3.8'\n" + service("")).json["version"] == "3.8");
  CHECK(read(service("")).json["version"] == "2.4");
  CHECK(
    error_of("version: '1'\n" + service("")).find(":1: version must be 2.x or 3.x")
    != std::string::npos);
}

TEST_CASE("host bind mounts are refused in both syntaxes, with file and line") {
  for (const auto* source : {"/var/run/docker.sock", "./data", "~/data", "../x"}) {
    const auto e = error_of(service(std::string("    volumes:\n      - ") + source + ":/x\n"));
    INFO(e);
    CHECK(e.starts_with("docker-compose.yml:5: service \"web\": host bind mounts"));
  }
  const auto e = error_of(
    service("    volumes:\n      - type: bind\n        source: data\n        target: /x\n"));
  CHECK(e.starts_with("docker-compose.yml:5: service \"web\": host bind mounts"));
}

TEST_CASE("a mounted volume must be declared and its path absolute") {
  CHECK(error_of(service("    volumes: [data:/x]\n")).find("is not declared") != std::string::npos);
  CHECK(
    error_of("volumes: {data: }\n" + service("    volumes: [data:x]\n")).find("absolute path")
    != std::string::npos);
  read("volumes: {data: }\n" + service("    volumes: [data:/x, /anonymous]\n"));
}

TEST_CASE("keys that devices do not understand are left out with a warning that names the line") {
  const auto c = read(service("    container_name: x\n    logging: {driver: none}\n"));
  CHECK_FALSE(c.json["services"]["web"].contains("container_name"));
  REQUIRE(c.warnings.size() == 2);
  CHECK(
    c.warnings[0]
    == "docker-compose.yml:4: service \"web\": \"container_name\" is not supported and left out");
}

TEST_CASE("keys whose absence would change what runs are refused") {
  for (const auto* key : {"env_file", "extends", "volumes_from", "external_links", "secrets"}) {
    const auto e = error_of(service(std::string("    ") + key + ": x\n"));
    CHECK(e.find(std::string(key) + " is not supported: ") != std::string::npos);
  }
  CHECK(
    error_of("volumes: {data: {external: true}}\n" + service("")).find("external volumes")
    != std::string::npos);
  CHECK(
    error_of(service("    network_mode: container:x\n")).find("not supported")
    != std::string::npos);
}

TEST_CASE("every fault is reported, not only the first") {
  const auto e = error_of("services:\n  a: {}\n  b: {image: 'x y'}\n  ' c': {image: x}\n");
  CHECK(e.find("docker-compose.yml:2: service \"a\": needs build or image") != std::string::npos);
  CHECK(e.find("docker-compose.yml:3: service \"b\": image must be") != std::string::npos);
  CHECK(e.find("docker-compose.yml:4: \" c\" is not a service name") != std::string::npos);
}

TEST_CASE("build contexts and Dockerfiles stay inside the project") {
  for (const auto* path : {"..", "../x", "a/../../x", "/etc", "https://example.com/x.git", "~/x"}) {
    const auto e = error_of(std::string("services:\n  web:\n    build: ") + path + "\n");
    CHECK(e.find("inside the project") != std::string::npos);
  }
  const auto e = error_of("services:\n  web:\n    build: {context: ., dockerfile: ../D}\n");
  CHECK(e.find("inside the build context") != std::string::npos);
}

TEST_CASE("services may not wait for one another in a circle or for strangers") {
  CHECK(
    error_of("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: {a: {}}}\n")
      .find("circle at \"a\"")
    != std::string::npos);
  CHECK(
    error_of(service("    depends_on: [ghost]\n")).find("\"ghost\", which is not a service")
    != std::string::npos);
}

TEST_CASE("anchors and merge keys are expanded, and the service's own keys win") {
  const auto c = read(R"(x-base: &base
  image: debian:12
  restart: always
services:
  a:
    <<: *base
    restart: "no"
  b: *base
)");
  CHECK(c.json["services"]["a"]["restart"] == "no");
  CHECK(c.json["services"]["a"]["image"] == "debian:12");
  CHECK(c.json["services"]["b"]["restart"] == "always");
}

TEST_CASE("a billion laughs, deep nesting and huge files are refused quickly") {
  std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto one = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + one;
    for (int k = 0; k < 8; ++k) {
      laughs += "," + one;
    }
    laughs += "]\n";
  }
  CHECK(domain::parse_compose(laughs, "f").error().code == messages::errc::too_large);
  CHECK_FALSE(domain::parse_compose("a: " + std::string(2000, '[') + std::string(2000, ']'), "f"));
  CHECK(
    domain::parse_compose("a: " + std::string(40, '[') + std::string(40, ']'), "f").error().code
    == messages::errc::too_large);
  CHECK(
    domain::parse_compose(std::string(domain::yaml_bytes_max + 1, '#'), "f").error().code
    == messages::errc::too_large);
  CHECK_FALSE(domain::parse_compose("a: &a [*a]\n", "f"));
}

TEST_CASE("what is not YAML or not a compose file says where") {
  CHECK(error_of("services:\n  web: [\n").starts_with("docker-compose.yml:"));
  CHECK(error_of("").find("a compose file is a map") != std::string::npos);
  CHECK(error_of("just text").find("a compose file is a map") != std::string::npos);
  CHECK(error_of("services: {}\n").find("names no services") != std::string::npos);
  CHECK(error_of("a: 1\na: 2\n") == "docker-compose.yml:2: the key \"a\" appears twice");
  CHECK_FALSE(domain::parse_compose(std::string_view("a\0b", 3), "f"));
}

TEST_CASE("quoted numbers stay text, and numbers keep their type") {
  const auto c =
    read(service("    hostname: '1234'\n    cpu_shares: 512\n    cpus: 0.5\n"
                 "    mem_limit: 0644\n    command: [\"true\", true]\n"));
  const auto& s = c.json["services"]["web"];
  CHECK(s["hostname"] == "1234");
  CHECK(s["cpu_shares"] == 512);
  CHECK(s["cpus"] == 0.5);
  CHECK(s["mem_limit"] == "0644");
  CHECK(s["command"][0] == "true");
  CHECK(s["command"][1] == true);
}

TEST_CASE("a project that is only a Dockerfile becomes one service named main") {
  const auto c = domain::default_composition();
  REQUIRE(c.services.size() == 1);
  CHECK(c.services[0].name == "main");
  CHECK(c.services[0].labels.size() == 5);
  CHECK(c.json["version"] == "2.1");
  CHECK(c.json["services"]["main"]["network_mode"] == "host");
  CHECK(c.json["services"]["main"]["volumes"][0] == "resin-data:/data");
}
