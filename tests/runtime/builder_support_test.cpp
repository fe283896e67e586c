#include "runtime/build_architectures.hpp"
#include "runtime/build_network.hpp"
#include "runtime/builder_config.hpp"
#include "runtime/child_process.hpp"
#include "runtime/crypto.hpp"
#include "runtime/join_token.hpp"
#include "runtime/memory_folder.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace slipway;
using namespace slipway::runtime;

namespace {

join_token token() {
  return {"big-machine", make_curve_keys().public_key, make_curve_keys()};
}

environment with(const std::map<std::string, std::string>& variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto it = variables.find(name);
    return it == variables.end() ? std::nullopt : std::optional(it->second);
  };
}

}  // namespace

TEST_CASE("a join token holds the worker's name and key, and the server's") {
  const auto t = token();
  const auto text = write_join_token(t);
  CHECK(text.find_first_of(" \n\t") == std::string::npos);
  const auto back = read_join_token(" " + text + "\n");
  REQUIRE(back);
  CHECK(back->name == t.name);
  CHECK(back->server_key == t.server_key);
  CHECK(back->keys.secret_key == t.keys.secret_key);
  CHECK(back->keys.public_key == t.keys.public_key);
}

TEST_CASE("what is no join token is refused without being repeated") {
  auto t = token();
  const auto text = write_join_token(t);
  t.name = "../x";
  for (const auto& wrong :
       {std::string(),
        std::string("x"),
        text.substr(1),
        text.substr(0, text.size() / 2),
        write_join_token(t),
        text + std::string(2'000, 'A')}) {
    const auto read = read_join_token(wrong);
    REQUIRE_FALSE(read);
    CHECK(read.error().detail.find("no join token") != std::string::npos);
  }
}

TEST_CASE("names of workers are plain") {
  CHECK(is_builder_name("a"));
  CHECK(is_builder_name("big-machine-2"));
  for (const auto* wrong : {"", "-a", "a-", "A", "a b", "a.b", "\xc3\xa4"}) {
    CHECK_FALSE(is_builder_name(wrong));
  }
  CHECK_FALSE(is_builder_name(std::string(64, 'a')));
}

TEST_CASE("a worker's keys and name come from its token, out of the environment or a file") {
  const auto t = token();
  const auto text = write_join_token(t);
  const auto plain =
    load_builder_config({"--core", "tcp://h:1"}, with({{"SLIPWAY_BUILDER_TOKEN", text}}));
  REQUIRE(plain.config);
  CHECK(plain.config->name == "big-machine");
  CHECK(plain.config->server_key == t.server_key);
  CHECK(plain.config->secret_key == t.keys.secret_key);
  CHECK(plain.config->engine == "unix:///var/run/docker.sock");
  CHECK_FALSE(plain.config->open_network);
  const test::temp_folder folder;
  const auto file = folder.path() + "/token";
  std::ofstream(file) << text << "\n";
  const auto from_file = load_builder_config(
    {"--core", "tcp://h:1", "--token-file", file, "--slots", "3", "--build-network", "open"},
    with({}));
  REQUIRE(from_file.config);
  CHECK(from_file.config->slots == 3);
  CHECK(from_file.config->open_network);
}

TEST_CASE("a worker without a token is told how to give one, and no argument holds it") {
  const auto none = load_builder_config({"--core", "tcp://h:1"}, with({}));
  CHECK(none.exit_code == 2);
  CHECK(none.text.find("--token-file or SLIPWAY_BUILDER_TOKEN") != std::string::npos);
  CHECK(
    load_builder_config({"--core", "tcp://h:1", "--builder-token", "x"}, with({})).exit_code == 2);
  const auto help = load_builder_config({"--help"}, with({}));
  CHECK(help.exit_code == 0);
  CHECK(help.text.find("slipwayd builder --core") != std::string::npos);
}

TEST_CASE("an engine builds for itself and for what the kernel emulates") {
  const test::temp_folder folder;
  const auto handler =
    [&](const std::string& name, const std::string& state, const std::string& flags = "POCF") {
      std::ofstream(folder.path() + "/" + name)
        << state << "\ninterpreter /usr/bin/x\nflags: " << flags << "\noffset 0\n";
    };
  using list = std::vector<std::string>;
  CHECK(build_architectures("amd64", folder.path()) == list{"amd64", "i386"});
  handler("qemu-arm", "enabled");
  handler("qemu-aarch64", "disabled");
  handler("qemu-i386", "enabled", "OC");  // its interpreter is looked for in each container
  CHECK(build_architectures("amd64", folder.path()) == list{"amd64", "i386", "armv7hf", "rpi"});
  CHECK(build_architectures("arm64", folder.path()) == list{"aarch64", "armv7hf", "rpi"});
  std::ofstream(folder.path() + "/status") << "disabled\n";
  CHECK(build_architectures("amd64", folder.path()) == list{"amd64", "i386"});
  CHECK(build_architectures("arm64", "/nowhere") == list{"aarch64"});
  CHECK(build_architectures("arm", "/nowhere") == list{"armv7hf", "rpi"});
  CHECK(build_architectures("s390x", "/nowhere").empty());
}

TEST_CASE(
  "folders for secrets are in memory where they can be, and earlier ones go at each start") {
  namespace fs = std::filesystem;
  const test::temp_folder disk;
  const auto name = "slipway-test-" + random_hex(8) + "-";
  const auto in_memory = fs::path("/dev/shm") / name;
  CHECK(memory_prefix({"/nowhere", "/dev/shm"}, name, disk.path()) == in_memory);
  CHECK(memory_prefix({"/nowhere", "/proc"}, name, disk.path()) == fs::path(disk.path()) / name);
  for (const auto& left : {in_memory.string() + "1", disk.path() + "/" + name + "2"}) {
    fs::create_directory(left);
    std::ofstream(left + "/left") << "secret";
  }
  fs::create_directory(disk.path() + "/other");
  // A link that somebody put there is not followed.
  const test::temp_folder foreign;
  std::ofstream(foreign.path() + "/theirs") << "theirs";
  const auto link = in_memory.string() + "3";
  fs::create_directory_symlink(foreign.path(), link);
  CHECK(memory_prefix({"/dev/shm"}, name, disk.path()) == in_memory);
  CHECK_FALSE(fs::exists(in_memory.string() + "1"));
  CHECK_FALSE(fs::exists(disk.path() + "/" + name + "2"));
  CHECK(fs::exists(disk.path() + "/other"));
  CHECK(fs::exists(foreign.path() + "/theirs"));
  fs::remove(link);
}

TEST_CASE("the firewall's rules keep builds from the machine, each other and the core") {
  const auto rules = build_network_rules({"192.0.2.7"});
  for (const auto* line :
       {":SLIPWAY-BUILD-IN - [0:0]\n",
        "-A SLIPWAY-BUILD-IN -j REJECT",
        "-A SLIPWAY-BUILD-OUT -o swb+ -j REJECT",
        "-A SLIPWAY-BUILD-OUT -d 169.254.0.0/16 -j REJECT",
        "-A SLIPWAY-BUILD-OUT -d 192.0.2.7/32 -j REJECT",
        "COMMIT\n"}) {
    CHECK(rules.find(line) != std::string::npos);
  }
  // The nameserver of some clouds is where their credentials are.
  const auto names =
    rules.find("-A SLIPWAY-BUILD-OUT -d 169.254.0.0/16 -p udp --dport 53 -j RETURN\n");
  CHECK(names < rules.find("-A SLIPWAY-BUILD-OUT -d 169.254.0.0/16 -j REJECT"));
  CHECK(addresses_of_endpoint("tcp://192.0.2.7:8091") == std::vector<std::string>{"192.0.2.7"});
  CHECK(addresses_of_endpoint("tcp://127.0.0.1:8091") == std::vector<std::string>{});
  CHECK(addresses_of_endpoint("tcp://[2001:db8::7]:8091") == std::vector<std::string>{});
  CHECK(addresses_of_endpoint("nonsense").error().code == messages::errc::invalid_argument);
}

TEST_CASE("builds wait for the core's name to have an answer") {
  const auto none = addresses_of_endpoint("tcp://no..name:8091");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == messages::errc::unavailable);
}

TEST_CASE("a short program gets its input and its status and words come back") {
  const auto done = run_child("sh", {"-c", "cat; echo wrong >&2; exit 3"}, "in\n");
  REQUIRE(done);
  CHECK(done->status == 3);
  CHECK(done->output == "in\nwrong\n");
  CHECK(run_child("slipway-no-such-program", {}, "").error().code == messages::errc::not_found);
}
