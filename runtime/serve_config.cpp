#include "runtime/serve_config.hpp"

#include <unistd.h>

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

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) {
      out.push_back(text.substr(at, comma - at));
    }
    at = comma + 1;
  }
  return out;
}

/// Host names as DNS has them, in lower case; no address.
bool is_domain(const std::string& text) {
  constexpr std::size_t bytes_max = 200;  // leaves room for the labels of devices
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return text.size() <= bytes_max && std::all_of(text.begin(), text.end(), allowed)
         && text.find("..") == std::string::npos && text.front() != '.' && text.front() != '-'
         && text.back() != '.' && text.back() != '-' && !(text.back() >= '0' && text.back() <= '9');
}

/// Domain, TLS port and certificates. What is wrong; "" = nothing.
std::string load_tls(const setting_values& v, serve_config& c) {
  c.domain = v.text("domain");
  for (auto& letter : c.domain) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  if (!c.domain.empty() && !is_domain(c.domain)) {
    return "domain: `" + c.domain + "` is no domain name (" + v.source("domain") + ")";
  }
  auto address = v.text("https_address");
  if (address.empty()) {
    address = !c.domain.empty() && ::geteuid() == 0 ? "0.0.0.0:443" : "off";
  }
  if (address != "off") {
    const auto parsed = parse_listen_address(address);
    if (!parsed) {
      return "https_address: " + parsed.error().detail + " (" + v.source("https_address") + ")";
    }
    if (c.domain.empty()) {
      return "https_address: TLS needs a domain, whose hosts the certificate is for";
    }
    c.https = *parsed;
  }
  const auto chains = split_list(v.text("tls_cert"));
  const auto keys = split_list(v.text("tls_key"));
  if (chains.size() != keys.size()) {
    return "tls_cert and tls_key: there must be one key for each certificate";
  }
  for (std::size_t i = 0; i < chains.size(); ++i) {
    c.certificates.emplace_back(chains[i], keys[i]);
  }
  c.tls_ca = v.text("tls_ca");
  if (chains.empty() && !c.tls_ca.empty()) {
    return "tls_ca: only for certificates that are given; the own authority has its own root";
  }
  return {};
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
       {.name = "https_address",
        .help = "address of the TLS port, or `off`; with a domain and as root the default is "
                "0.0.0.0:443, "
                "else off",
        .flag = "--https"},
       {.name = "tls_cert",
        .help = "PEM file of the certificate and its chain; several with commas; without one the "
                "server is "
                "its own authority"},
       {.name = "tls_key", .help = "PEM file of the certificate's key; as many as certificates"},
       {.name = "tls_ca",
        .help = "PEM file of the root that clients and devices must trust, if they do not anyway"},
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
       {.name = "log_retention_bytes",
        .type = setting_type::integer,
        .help = "bytes kept of each device's log, before compression",
        .fallback = "4194304",
        .least = 65'536},
       {.name = "log_retention_lines",
        .type = setting_type::integer,
        .help = "lines kept of each device's log",
        .fallback = "100000",
        .least = 100},
       {.name = "log_retention_hours",
        .type = setting_type::integer,
        .help = "how long lines of device logs are kept",
        .fallback = "720",
        .least = 1,
        .most = 876'000},
       {.name = "registry_grace_seconds",
        .type = setting_type::integer,
        .help = "how long images that nothing needs are kept",
        .fallback = "86400",
        .least = 0,
        .most = 315'360'000},
       {.name = "registry_scrub_bytes_per_second",
        .type = setting_type::integer,
        .help = "how fast blobs are read to find rotten ones; 0 = not by itself",
        .fallback = "20000000",
        .least = 0},
       {.name = "registry_free_bytes",
        .type = setting_type::integer,
        .help = "images are refused while the disk has less space left",
        .fallback = "1073741824",
        .least = 0},
       {.name = "organization_storage_bytes",
        .type = setting_type::integer,
        .help = "how much an organization's images may take, unless it has a limit of its own; 0 = "
                "no limit",
        .fallback = "0",
        .least = 0},
       {.name = "admin_file", .help = "file with name:password of the first administrator"},
       {.name = "registry_mirrors",
        .help = "JSON file of registries elsewhere that are kept under mirror/NAME/ when pulled; "
                "docs/protocols/registry.md"},
       {.name = "registration",
        .help = "who may make an account without an administrator",
        .fallback = "closed",
        .choices = {"closed", "invite", "open"}},
       {.name = "ssh_address",
        .help = "address of the SSH port, for git, or `off`",
        .fallback = "127.0.0.1:2222",
        .flag = "--ssh"},
       {.name = "git_repository_bytes",
        .type = setting_type::integer,
        .help = "how much the git repository of a fleet may take",
        .fallback = "4294967296",
        .least = 1 << 20},
       {.name = "git_push_bytes",
        .type = setting_type::integer,
        .help = "how much may be pushed by git at once",
        .fallback = "1073741824",
        .least = 1 << 20},
       {.name = "builder_engine",
        .help = "socket of the container engine that builds what users push; none = no builds here",
        .fallback = "unix:///var/run/docker.sock"},
       {.name = "builder_endpoint",
        .help = "ZeroMQ endpoint where further build workers join",
        .fallback = "tcp://127.0.0.1:0"},
       {.name = "builder_slots",
        .type = setting_type::integer,
        .help = "services built at a time, 0 = one per core",
        .fallback = "0",
        .least = 0,
        .most = 64},
       {.name = "builder_network",
        .help = "isolated: builds reach neither this machine nor each other (takes root); open: "
                "they do",
        .fallback = "isolated",
        .choices = {"isolated", "open"}},
       {.name = "build_seconds",
        .type = setting_type::integer,
        .help = "how long a build may take",
        .fallback = "3600",
        .least = 1},
       {.name = "build_memory_bytes",
        .type = setting_type::integer,
        .help = "how much memory each container of a build may take, 0 = no limit",
        .fallback = "4294967296",
        .least = 0},
       {.name = "build_output_bytes",
        .type = setting_type::integer,
        .help = "how much a build may print",
        .fallback = "16777216",
        .least = 1 << 16}},
    .examples =
      "  slipwayd serve --data-dir /var/lib/slipway\n"
      "  slipwayd serve --config /etc/slipway.yaml --http 0.0.0.0:8080\n"
      "  SLIPWAY_DATA_DIR=/var/lib/slipway slipwayd serve --domain fleet.example.org\n"
      "  slipwayd serve --data-dir D --domain fleet.example.org --http 0.0.0.0:80 --https "
      "0.0.0.0:443 "
      "--tls-cert chain.pem --tls-key key.pem\n"};
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
  if (auto wrong = load_tls(v, c); !wrong.empty()) {
    return {.config = {}, .text = "slipwayd serve: " + wrong + "\n", .exit_code = 2};
  }
  c.public_url = v.text("public_url");
  while (c.public_url.ends_with('/')) {
    c.public_url.pop_back();
  }
  c.http_threads = or_cores(v.integer("http_threads"));
  c.scheduler_threads = or_cores(v.integer("scheduler_threads"));
  c.log_level = v.text("log_level");
  c.log_format = v.text("log_format");
  c.log_retention_bytes = v.integer("log_retention_bytes");
  c.log_retention_lines = v.integer("log_retention_lines");
  c.log_retention_hours = v.integer("log_retention_hours");
  c.registry_grace_seconds = v.integer("registry_grace_seconds");
  c.registry_scrub_bytes_per_second = v.integer("registry_scrub_bytes_per_second");
  c.registry_free_bytes = v.integer("registry_free_bytes");
  c.organization_storage_bytes = v.integer("organization_storage_bytes");
  c.admin_file = v.text("admin_file");
  c.registry_mirrors = v.text("registry_mirrors");
  c.registration = v.text("registration");
  c.git_repository_bytes = v.integer("git_repository_bytes");
  c.git_push_bytes = v.integer("git_push_bytes");
  if (const auto& address = v.text("ssh_address"); address != "off") {
    const auto parsed = parse_listen_address(address);
    if (!parsed) {
      const auto wrong =
        "ssh_address: " + parsed.error().detail + " (" + v.source("ssh_address") + ")";
      return {.config = {}, .text = "slipwayd serve: " + wrong + "\n", .exit_code = 2};
    }
    c.ssh = *parsed;
  }
  c.builder_engine = v.text("builder_engine");
  c.builder_endpoint = v.text("builder_endpoint");
  c.builder_slots = static_cast<std::uint32_t>(v.integer("builder_slots"));
  c.build_seconds = v.integer("build_seconds");
  c.build_memory_bytes = v.integer("build_memory_bytes");
  c.build_output_bytes = v.integer("build_output_bytes");
  c.builder_open_network = v.text("builder_network") == "open";
  return {.config = std::move(c), .text = {}, .exit_code = 0};
}

}  // namespace slipway::runtime
