#include "runtime/config.hpp"

#include "runtime/crypto.hpp"
#include "runtime/serve_config.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace slipway::runtime;

namespace {

struct fixture {
  std::filesystem::path dir =
    std::filesystem::temp_directory_path() / ("slipway-config-" + random_hex(8));
  std::map<std::string, std::string> variables;
  command_settings command{
    .name = "prog",
    .help = "A program.",
    .settings =
      {{.name = "data_dir", .help = "folder", .required = true},
       {.name = "threads", .type = setting_type::integer, .fallback = "2", .least = 1, .most = 8},
       {.name = "fast", .type = setting_type::boolean},
       {.name = "listen",
        .type = setting_type::address,
        .fallback = "127.0.0.1:80",
        .flag = "--at"},
       {.name = "level", .fallback = "info", .choices = {"info", "warn"}},
       {.name = "token", .help = "of the API", .secret = true}},
    .examples = "  prog --data-dir /x\n"};

  fixture() { std::filesystem::create_directories(dir); }
  ~fixture() { std::filesystem::remove_all(dir); }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(dir / name) << text;
    return dir / name;
  }
  settings_outcome load(const std::vector<std::string>& arguments) {
    return load_settings(command, arguments, env());
  }
  environment env() {
    return [this](const std::string& name) -> std::optional<std::string> {
      const auto it = variables.find(name);
      return it == variables.end() ? std::nullopt : std::optional(it->second);
    };
  }
  /// The message of a refusal.
  std::string refusal(const std::vector<std::string>& arguments) {
    const auto o = load(arguments);
    CHECK(!o.values);
    CHECK(o.exit_code == 2);
    return o.text;
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a flag wins over the environment, and that over the file") {
  fixture f;
  const auto config = f.file("c.yaml", "data_dir: /file\nthreads: 3\nlevel: warn\n");
  auto o = f.load({"--config", config});
  REQUIRE(o.values);
  CHECK(o.values->text("data_dir") == "/file");
  CHECK(o.values->source("data_dir") == config + ":1");
  CHECK(o.values->integer("threads") == 3);
  CHECK(o.values->text("listen") == "127.0.0.1:80");
  CHECK(o.values->source("listen") == "default");
  CHECK(!o.values->boolean("fast"));

  f.variables = {{"SLIPWAY_CONFIG", config}, {"SLIPWAY_THREADS", "4"}, {"SLIPWAY_FAST", "yes"}};
  o = f.load({});
  REQUIRE(o.values);
  CHECK(o.values->integer("threads") == 4);
  CHECK(o.values->boolean("fast"));
  CHECK(o.values->text("level") == "warn");

  o = f.load({"--threads", "5", "--at=[::1]:0", "--data-dir=/flag"});
  REQUIRE(o.values);
  CHECK(o.values->integer("threads") == 5);
  CHECK(o.values->source("threads") == "flag --threads");
  CHECK(o.values->text("data_dir") == "/flag");
  CHECK(o.values->text("listen") == "[::1]:0");
}

TEST_CASE("a bad value names its setting and where it came from") {
  fixture f;
  CHECK(has(f.refusal({}), "setting `data_dir` (default): is required: give --data-dir"));
  CHECK(has(
    f.refusal({"--data-dir", "/x", "--threads", "many"}),
    "setting `threads` (flag --threads): `many` is not a whole number"));
  CHECK(has(f.refusal({"--data-dir", "/x", "--threads", "9"}), "is not from 1 to 8"));
  CHECK(has(f.refusal({"--data-dir", "/x", "--at", "80"}), "setting `listen` (flag --at)"));
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}, {"SLIPWAY_LEVEL", "loud"}};
  CHECK(has(
    f.refusal({}),
    "setting `level` (environment SLIPWAY_LEVEL): `loud` is not one of info, warn"));
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}, {"SLIPWAY_FAST", "maybe"}};
  CHECK(has(f.refusal({}), "neither true nor false"));
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}};
  const auto config = f.file("c.yaml", "level: info\n\nthreads: [1]\n");
  CHECK(has(
    f.refusal({"--config", config}),
    "setting `threads` (" + config + ":3): is not a single value"));
  const auto unknown = f.file("u.yaml", "speed: 1\n");
  CHECK(has(
    f.refusal({"--config", unknown}),
    "setting `speed` (" + unknown + ":1): there is no such setting"));
  CHECK(has(f.refusal({"--config", f.file("b.yaml", "a: [")}), "setting `config`"));
  CHECK(has(f.refusal({"--config", f.file("l.yaml", "- a\n")}), "not a map"));
  CHECK(has(f.refusal({"--config", "/nonexistent"}), "cannot read /nonexistent"));
  CHECK(has(f.refusal({"--unknown"}), "--unknown"));
  CHECK(has(f.refusal({"stray"}), "stray"));
}

TEST_CASE("a secret comes from a file or the environment, never from a flag") {
  fixture f;
  const auto secret = f.file("token", "s3cret\n");
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}, {"SLIPWAY_TOKEN_FILE", secret}};
  auto o = f.load({});
  REQUIRE(o.values);
  CHECK(o.values->text("token") == "s3cret");
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}};
  o = f.load({"--config", f.file("c.yaml", "token_file: " + secret + "\n")});
  REQUIRE(o.values);
  CHECK(o.values->text("token") == "s3cret");
  CHECK(has(f.refusal({"--token", "s3cret"}), "--token"));
  f.command.settings.back().choices = {"other"};
  f.variables["SLIPWAY_TOKEN"] = "s3cret";
  const auto text = f.refusal({});
  CHECK(has(text, "setting `token` (environment SLIPWAY_TOKEN)"));
  CHECK(!has(text, "s3cret"));
  f.variables = {{"SLIPWAY_DATA_DIR", "/x"}, {"SLIPWAY_TOKEN_FILE", "/nonexistent"}};
  CHECK(has(f.refusal({}), "cannot read /nonexistent"));
}

TEST_CASE("help lists every setting and shows examples") {
  fixture f;
  const auto o = f.load({"--help"});
  CHECK(!o.values);
  CHECK(o.exit_code == 0);
  for (const auto* part :
       {"--data-dir",
        "SLIPWAY_THREADS",
        "--at",
        "SLIPWAY_TOKEN_FILE",
        "prog --data-dir /x",
        "--config"}) {
    CHECK(has(o.text, part));
  }
  CHECK(!has(o.text, "--token"));
}

TEST_CASE("listen addresses are host and port") {
  CHECK(parse_listen_address("[::1]:80")->host == "::1");
  CHECK(parse_listen_address("localhost:0")->port == 0);
  for (const auto* bad :
       {"", ":80", "host", "host:", "host:65536", "host:-1", "::1:80", "host:8x"}) {
    CHECK(!parse_listen_address(bad));
  }
}

TEST_CASE("the server's settings have working defaults") {
  fixture f;
  auto o = load_serve_config({"--data-dir", "/d"}, f.env());
  REQUIRE(o.config);
  CHECK(o.config->data_dir == "/d");
  CHECK(o.config->http.host == "127.0.0.1");
  CHECK(o.config->http.port == 8080);
  CHECK(o.config->overlay_endpoint == "tcp://127.0.0.1:8090");
  CHECK(o.config->public_url.empty());
  CHECK(o.config->http_threads >= 1);
  CHECK(o.config->scheduler_threads >= 1);
  o = load_serve_config(
    {"--data-dir", "/d", "--domain", "fleet.org", "--public-url", "https://x.org/"},
    f.env());
  REQUIRE(o.config);
  CHECK(o.config->public_url == "https://x.org");
  o = load_serve_config({"--data-dir", "/d", "--public-url", "x.org"}, f.env());
  CHECK(o.exit_code == 2);
  CHECK(has(load_serve_config({"--help"}, f.env()).text, "slipwayd serve --data-dir"));
}
