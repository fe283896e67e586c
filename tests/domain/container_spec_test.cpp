#include "tests/support/targets.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace slipway::domain;
using namespace slipway::tests;
using json = nlohmann::json;

namespace {

struct made {
  desired_state desired;
  desired_service service;
  json body;
  json host;
};

made make(const json& composition, const json& more = json::object()) {
  auto release = release_json(5, {{"web", service_json(1, 'a', composition)}});
  release.update(more);
  made m;
  m.desired = desired_of(target_json("c1", release));
  m.service = m.desired.apps.at(app_uuid).services.at("web");
  m.body = m.service.body;
  m.host = m.body["HostConfig"];
  return m;
}

bool has_env(const json& body, const std::string& line) {
  const auto& env = body["Env"];
  return std::find(env.begin(), env.end(), line) != env.end();
}

}  // namespace

TEST_CASE("each compose key lands where the engine looks for it") {
  struct row {
    const char* key;
    json value;
    const char* where;
    json expected;
  };
  const row table[] = {
    {"command", "sh -c 'a b'", "/Cmd", {"sh", "-c", "a b"}},
    {"command", {"a", "b c"}, "/Cmd", {"a", "b c"}},
    {"entrypoint", "/init --x", "/Entrypoint", {"/init", "--x"}},
    {"working_dir", "/srv", "/WorkingDir", "/srv"},
    {"user", 1000, "/User", "1000"},
    {"hostname", "box", "/Hostname", "box"},
    {"tty", false, "/Tty", false},
    {"stop_signal", "SIGINT", "/StopSignal", "SIGINT"},
    {"stop_grace_period", "1m30s", "/StopTimeout", 90},
    {"init", true, "/HostConfig/Init", true},
    {"restart",
     "on-failure:3",
     "/HostConfig/RestartPolicy",
     {{"Name", "on-failure"}, {"MaximumRetryCount", 3}}},
    {"restart", "no", "/HostConfig/RestartPolicy/Name", "no"},
    {"restart", false, "/HostConfig/RestartPolicy/Name", "no"},
    {"restart", "nonsense", "/HostConfig/RestartPolicy/Name", "always"},
    {"privileged", true, "/HostConfig/Privileged", true},
    {"read_only", true, "/HostConfig/ReadonlyRootfs", true},
    {"cap_add", {"NET_ADMIN"}, "/HostConfig/CapAdd", {"NET_ADMIN"}},
    {"cap_drop", {"ALL"}, "/HostConfig/CapDrop", {"ALL"}},
    {"devices",
     {"/dev/i2c-1:/dev/i2c:rw"},
     "/HostConfig/Devices/0",
     {{"PathOnHost", "/dev/i2c-1"}, {"PathInContainer", "/dev/i2c"}, {"CgroupPermissions", "rw"}}},
    {"devices", {"/dev/ttyS0"}, "/HostConfig/Devices/0/PathInContainer", "/dev/ttyS0"},
    {"mem_limit", "64m", "/HostConfig/Memory", 64 << 20},
    {"mem_limit", 4096, "/HostConfig/Memory", 4096},
    {"cpus", "0.5", "/HostConfig/NanoCpus", 500'000'000},
    {"cpus", 1.5, "/HostConfig/NanoCpus", 1'500'000'000},
    {"shm_size", "1g", "/HostConfig/ShmSize", 1 << 30},
    {"ulimits",
     {{"nofile", {{"soft", 10}, {"hard", 20}}}},
     "/HostConfig/Ulimits/0",
     {{"Name", "nofile"}, {"Soft", 10}, {"Hard", 20}}},
    {"ulimits",
     {{"nproc", 5}},
     "/HostConfig/Ulimits/0",
     {{"Name", "nproc"}, {"Soft", 5}, {"Hard", 5}}},
    {"healthcheck",
     {{"test", "true"}, {"interval", "30s"}, {"retries", 3}},
     "/Healthcheck",
     {{"Test", {"CMD-SHELL", "true"}}, {"Interval", 30'000'000'000}, {"Retries", 3}}},
    {"healthcheck", {{"disable", true}}, "/Healthcheck/Test", {"NONE"}},
    {"extra_hosts", {"a:1.2.3.4"}, "/HostConfig/ExtraHosts", {"a:1.2.3.4"}},
    {"extra_hosts", {{"a", "1.2.3.4"}}, "/HostConfig/ExtraHosts", {"a:1.2.3.4"}},
    {"dns", "9.9.9.9", "/HostConfig/Dns", {"9.9.9.9"}},
    {"sysctls",
     {"net.core.somaxconn=1024"},
     "/HostConfig/Sysctls",
     {{"net.core.somaxconn", "1024"}}},
    {"sysctls",
     {{"net.core.somaxconn", 1024}},
     "/HostConfig/Sysctls",
     {{"net.core.somaxconn", "1024"}}},
    {"pid", "host", "/HostConfig/PidMode", "host"},
    {"ipc", "host", "/HostConfig/IpcMode", "host"},
    {"security_opt",
     {"label=off", "no-new-privileges"},
     "/HostConfig/SecurityOpt",
     {"no-new-privileges"}},
    {"group_add", {44, "audio"}, "/HostConfig/GroupAdd", {"44", "audio"}},
    {"tmpfs", "/run:size=1m", "/HostConfig/Tmpfs", {{"/run", "size=1m"}}},
    {"ports",
     {"8080:80"},
     "/HostConfig/PortBindings",
     {{"80/tcp", {{{"HostIp", ""}, {"HostPort", "8080"}}}}}},
    {"ports",
     {"127.0.0.1:53:53/udp"},
     "/HostConfig/PortBindings",
     {{"53/udp", {{{"HostIp", "127.0.0.1"}, {"HostPort", "53"}}}}}},
    {"ports", {"[::1]:81:80"}, "/HostConfig/PortBindings/80~1tcp/0/HostIp", "::1"},
    {"ports",
     {{{"target", 80}, {"published", "8080"}, {"protocol", "tcp"}}},
     "/HostConfig/PortBindings/80~1tcp/0/HostPort",
     "8080"},
    {"ports", {"7000-7001:70-71"}, "/HostConfig/PortBindings/71~1tcp/0/HostPort", "7001"},
    {"ports", {80}, "/HostConfig/PortBindings/80~1tcp/0/HostPort", ""},
    {"network_mode", "host", "/HostConfig/NetworkMode", "host"},
    {"network_mode", "none", "/HostConfig/NetworkMode", "none"},
    {"network_mode", "service:db", "/HostConfig/NetworkMode", "service:db"},
  };
  for (const auto& [key, value, where, expected] : table) {
    const auto m = make({{key, value}});
    INFO(key << " " << value.dump() << " gave " << m.body.dump());
    REQUIRE(m.body.contains(json::json_pointer(where)));
    CHECK(m.body[json::json_pointer(where)] == expected);
  }
}

TEST_CASE("defaults are those that users of balena rely on") {
  const auto m = make(json::object());
  CHECK(m.host["RestartPolicy"]["Name"] == "always");
  CHECK(m.body["Tty"] == true);
  CHECK(m.host["ShmSize"] == 64 << 20);
  CHECK(m.service.stop_seconds == 10);
  CHECK(m.desired.warnings.empty());
}

TEST_CASE("named volumes are mounted and exist even when the file does not declare them") {
  const auto m = make(
    {{"volumes",
      {"data:/data",
       "logs:/logs:ro",
       {{"type", "volume"}, {"source", "more"}, {"target", "/more"}, {"read_only", true}},
       {{"type", "tmpfs"}, {"target", "/t"}, {"tmpfs", {{"size", "1m"}}}},
       "/anonymous"}}},
    {{"volumes", {{"data", {{"driver", "local"}}}}}});
  CHECK(
    m.host["Binds"]
    == json(
      {"12_data_0123456789ab:/data:rw",
       "12_logs_0123456789ab:/logs:ro",
       "12_more_0123456789ab:/more:ro"}));
  CHECK(m.host["Tmpfs"]["/t"] == "size=1048576");
  CHECK(m.body["Volumes"].contains("/anonymous"));
  CHECK(m.desired.apps.at(app_uuid).volumes.size() == 3);
}

TEST_CASE("host paths are refused in every syntax, with a warning and not an error") {
  const json bad[] = {
    "/etc:/etc",
    "./x:/x",
    "../x:/x",
    "~/x:/x",
    "a/b:/x",
    {{"type", "bind"}, {"source", "/etc"}, {"target", "/etc"}},
    {{"type", "volume"}, {"source", "/etc"}, {"target", "/etc"}}};
  for (const auto& volume : bad) {
    INFO(volume.dump());
    const auto m = make({{"volumes", {volume}}});
    CHECK_FALSE(m.host.contains("Binds"));
    CHECK(m.desired.warnings.size() == 1);
    CHECK(m.desired.apps.at(app_uuid).volumes.empty());
  }
  const auto m = make(
    {{"volumes", {"data:/data"}}},
    {{"volumes",
      {{"data", {{"driver_opts", {{"type", "none"}, {"o", "bind"}, {"device", "/etc"}}}}}}}});
  CHECK(m.desired.apps.at(app_uuid).volumes.at("data").body["DriverOpts"].empty());
}

TEST_CASE("unknown keys and senseless values warn and are left out") {
  const json bad[] = {
    {{"deploy", {{"replicas", 2}}}},
    {{"mem_limit", "much"}},
    {{"cpus", "two"}},
    {{"ports", {"99999:80"}}},
    {{"ports", {"80-90:1-2"}}},
    {{"ports", "80"}},
    {{"command", "unclosed 'quote"}},
    {{"healthcheck", "x"}},
    {{"ulimits", {{"nofile", "x"}}}},
    {{"network_mode", "container:x"}},
    {{"pid", "container:x"}},
    {{"stop_grace_period", "soon"}},
  };
  for (const auto& composition : bad) {
    INFO(composition.dump());
    const auto m = make(composition);
    CHECK(m.desired.warnings.size() == 1);
  }
}

TEST_CASE("the host's network excludes what the engine refuses beside it") {
  const auto m = make({{"network_mode", "host"}, {"ports", {"80:80"}}, {"hostname", "x"}});
  CHECK_FALSE(m.host.contains("PortBindings"));
  CHECK_FALSE(m.body.contains("Hostname"));
  CHECK(m.desired.apps.at(app_uuid).networks.empty());
}

TEST_CASE("a service joins its networks under its own name and its aliases") {
  const auto m = make(
    {{"networks",
      {{"back", {{"aliases", {"x"}}, {"ipv4_address", "10.9.0.5"}}}, {"default", nullptr}}}},
    {{"networks", {{"back", {{"ipam", {{"config", {{{"subnet", "10.9.0.0/24"}}}}}}}}}}});
  REQUIRE(m.service.networks.size() == 2);
  const auto& back = m.service.networks[0];
  CHECK(back.network == app_uuid + "_back_0123456789ab");
  CHECK(back.config["Aliases"] == json({"web", "x"}));
  CHECK(back.config["IPAMConfig"]["IPv4Address"] == "10.9.0.5");
  CHECK(m.host["NetworkMode"] == back.network);
  const auto& networks = m.desired.apps.at(app_uuid).networks;
  CHECK(networks.at("back").body["IPAM"]["Config"][0]["Subnet"] == "10.9.0.0/24");
  CHECK(networks.contains("default"));
}

TEST_CASE("every object carries its owner, so that agents on one engine can tell theirs apart") {
  const auto m = make({{"volumes", {"data:/data"}}});
  const auto& app = m.desired.apps.at(app_uuid);
  for (const auto& labels :
       {m.body["Labels"],
        app.volumes.at("data").body["Labels"],
        app.networks.at("default").body["Labels"]}) {
    CHECK(labels["io.slipway.device"] == device_uuid);
    CHECK(labels["io.balena.supervised"] == "true");
    CHECK(labels["io.balena.app-uuid"] == app_uuid);
  }
}

TEST_CASE("users cannot label a container as another device's") {
  const auto m = make({{"labels", {{"io.slipway.device", "ffff"}}}});
  CHECK(m.body["Labels"]["io.slipway.device"] == device_uuid);
}

TEST_CASE("variables are there twice, under both prefixes, and names do not count for the hash") {
  const auto m = make({{"environment", {"A=1", "B=2"}}});
  for (const char* line :
       {"A=1",
        "BALENA=1",
        "RESIN=1",
        "BALENA_APP_ID=12",
        "RESIN_APP_ID=12",
        "BALENA_SERVICE_NAME=web",
        "BALENA_DEVICE_TYPE=generic-amd64",
        "RESIN_DEVICE_NAME_AT_INIT=red-fox",
        "BALENA_APP_NAME=hello"}) {
    INFO(line);
    CHECK(has_env(m.body, line));
  }
  auto device = a_device();
  device.name_at_init = "blue-fox";
  const auto again = make_desired(
    *parse_target(
      target_json(
        "c1",
        release_json(5, {{"web", service_json(1, 'a', {{"environment", {"A=1", "B=2"}}})}})),
      device_uuid),
    device);
  CHECK(again.apps.at(app_uuid).services.at("web").config_hash == m.service.config_hash);
}

TEST_CASE("a container's name tells its release, and any other name tells none") {
  const container_identity id{"my_web", 3, 5, "c1"};
  const auto name = container_name(id, device_uuid);
  CHECK(name == "my_web_3_5_c1_0123456789ab");
  CHECK(parse_container_name("/" + name, device_uuid).commit == "c1");
  CHECK(parse_container_name(name, device_uuid).service == "my_web");
  CHECK(parse_container_name(name, "ffffffffffffffff").commit.empty());
  CHECK(parse_container_name("eager_morse", device_uuid).commit.empty());
  CHECK(parse_container_name("", device_uuid).commit.empty());
}
