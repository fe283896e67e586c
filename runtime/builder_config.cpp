#include "runtime/builder_config.hpp"

#include "runtime/join_token.hpp"

#include <array>
#include <fstream>
#include <iterator>

namespace slipway::runtime {
namespace {

constexpr int slots_most = 64;
constexpr std::size_t token_file_bytes_max = 4096;

/// The token, from the environment or from a file. An error is a text for people.
messages::result<join_token> token_of(const setting_values& v) {
  auto text = v.text("builder_token");
  const auto& path = v.text("builder_token_file");
  if (text.empty() && !path.empty()) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
      return messages::fail(messages::errc::not_found, path + " cannot be read");
    }
    std::array<char, token_file_bytes_max> buffer{};
    in.read(buffer.data(), buffer.size());
    text.assign(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  if (text.empty()) {
    return messages::fail(
      messages::errc::invalid_argument,
      "is required: give --token-file or SLIPWAY_BUILDER_TOKEN");
  }
  return read_join_token(text);
}

}  // namespace

const command_settings& builder_settings() {
  static const command_settings command{
    .name = "slipwayd builder",
    .help =
      "Runs a build worker: takes builds from a server, builds them with a container engine and "
      "pushes the "
      "images to the server's registry.",
    .settings =
      {{.name = "builder_core",
        .help = "where workers join the server (--builder-endpoint of serve): tcp://HOST:PORT",
        .flag = "--core",
        .required = true},
       {.name = "builder_token_file",
        .help = "file with the join token that `slipwayd admin builder add` printed",
        .flag = "--token-file"},
       {.name = "builder_token", .help = "the join token itself", .secret = true},
       {.name = "builder_engine",
        .help = "socket of the container engine",
        .fallback = "unix:///var/run/docker.sock",
        .flag = "--engine"},
       {.name = "builder_slots",
        .type = setting_type::integer,
        .help = "services built at a time, 0 = one per core",
        .fallback = "0",
        .flag = "--slots",
        .least = 0,
        .most = slots_most},
       {.name = "builder_work_dir",
        .help = "folder for sources under way; it is emptied at start",
        .fallback = "/var/lib/slipway-builder",
        .flag = "--work-dir"},
       {.name = "builder_network",
        .help = "isolated: builds reach neither this machine nor each other (takes root); open: "
                "they do",
        .fallback = "isolated",
        .flag = "--build-network",
        .choices = {"isolated", "open"}},
       {.name = "log_level",
        .help = "least level that is logged",
        .fallback = "info",
        .choices = {"debug", "info", "warn", "error"}},
       {.name = "log_format",
        .help = "form of log lines",
        .fallback = "text",
        .choices = {"text", "json"}}},
    .examples =
      "  slipwayd builder --core tcp://slipway.example.org:8091 --token-file /etc/slipway/token\n"
      "  SLIPWAY_BUILDER_TOKEN=slipway-builder-... slipwayd builder --core tcp://10.0.0.5:8091 "
      "--slots 4\n"
      "  slipwayd builder --core tcp://10.0.0.5:8091 --token-file T --engine "
      "unix:///run/docker.sock\n"};
  return command;
}

builder_outcome load_builder_config(
  const std::vector<std::string>& arguments,
  const environment& env) {
  auto loaded = load_settings(builder_settings(), arguments, env);
  if (!loaded.values) {
    return {.config = {}, .text = std::move(loaded.text), .exit_code = loaded.exit_code};
  }
  const auto& v = *loaded.values;
  auto token = token_of(v);
  if (!token) {
    return {
      .config = {},
      .text = "slipwayd builder: builder_token: " + token.error().detail + "\n",
      .exit_code = 2};
  }
  builder_config c;
  c.core = v.text("builder_core");
  c.server_key = token->server_key;
  c.public_key = token->keys.public_key;
  c.secret_key = token->keys.secret_key;
  c.name = token->name;
  c.engine = v.text("builder_engine");
  c.slots = static_cast<std::uint32_t>(v.integer("builder_slots"));
  c.work_dir = v.text("builder_work_dir");
  c.open_network = v.text("builder_network") == "open";
  c.log_level = v.text("log_level");
  c.log_format = v.text("log_format");
  return {.config = std::move(c), .text = {}, .exit_code = 0};
}

}  // namespace slipway::runtime
