#include "runtime/serve_config.hpp"

#include <algorithm>
#include <thread>

namespace slipway::runtime {

namespace {

constexpr int threads_most = 256;

int or_cores(std::int64_t wanted) {
  return wanted > 0
           ? static_cast<int>(wanted)
           : std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, threads_most);
}

}  // namespace

const command_settings& serve_settings() {
  static const command_settings command{
    .name = "slipwayd serve",
    .help =
      "Runs the server: the HTTP interfaces, the event log, and the edge that holds device "
      "sessions.",
    .settings =
      {{.name = "data_dir",
        .help = "folder of the log, the read model and the images",
        .required = true},
       {.name = "http_address",
        .type = setting_type::address,
        .help = "address of the HTTP port",
        .fallback = "127.0.0.1:8080",
        .flag = "--http"},
       {.name = "overlay_endpoint",
        .help = "ZeroMQ endpoint of the device overlay",
        .fallback = "tcp://127.0.0.1:8090",
        .flag = "--overlay"},
       {.name = "overlay_public",
        .help = "overlay endpoint that devices are told, when it differs"},
       {.name = "domain", .help = "serve api.DOMAIN, registry2.DOMAIN, ... by host name"},
       {.name = "public_url",
        .type = setting_type::url,
        .help = "how clients reach the HTTP port, when it differs"},
       {.name = "http_threads",
        .type = setting_type::integer,
        .help = "threads of the HTTP port, 0 = one per core",
        .fallback = "0",
        .least = 0,
        .most = threads_most},
       {.name = "scheduler_threads",
        .type = setting_type::integer,
        .help = "threads that run actors, 0 = one per core",
        .fallback = "0",
        .least = 0,
        .most = threads_most},
       {.name = "log_level",
        .help = "least level that is logged",
        .fallback = "info",
        .choices = {"debug", "info", "warn", "error"}},
       {.name = "log_format",
        .help = "form of log lines",
        .fallback = "text",
        .choices = {"text", "json"}},
       {.name = "admin_file", .help = "file with name:password of the first administrator"}},
    .examples =
      "  slipwayd serve --data-dir /var/lib/slipway\n"
      "  slipwayd serve --config /etc/slipway.yaml --http 0.0.0.0:8080\n"
      "  SLIPWAY_DATA_DIR=/var/lib/slipway slipwayd serve --domain fleet.example.org\n"};
  return command;
}

serve_outcome load_serve_config(const std::vector<std::string>& arguments, const environment& env) {
  auto loaded = load_settings(serve_settings(), arguments, env);
  if (!loaded.values) {
    return {.config = {}, .text = std::move(loaded.text), .exit_code = loaded.exit_code};
  }
  const auto& v = *loaded.values;
  serve_config c;
  c.data_dir = v.text("data_dir");
  c.http = *parse_listen_address(v.text("http_address"));
  c.overlay_endpoint = v.text("overlay_endpoint");
  c.overlay_public = v.text("overlay_public");
  c.domain = v.text("domain");
  c.public_url = v.text("public_url");
  while (c.public_url.ends_with('/')) {
    c.public_url.pop_back();
  }
  c.http_threads = or_cores(v.integer("http_threads"));
  c.scheduler_threads = or_cores(v.integer("scheduler_threads"));
  c.log_level = v.text("log_level");
  c.log_format = v.text("log_format");
  c.admin_file = v.text("admin_file");
  return {.config = std::move(c), .text = {}, .exit_code = 0};
}

}  // namespace slipway::runtime
