#include "domain/resource_model.hpp"
#include "runtime/log.hpp"
#include "runtime/server/edge_main.hpp"
#include "runtime/server/node.hpp"
#include "storage/embedded_store.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <iostream>

namespace {

using namespace slipway;

constexpr int exit_unusable = 2;

int complain(const messages::error& e) {
  std::fprintf(stderr, "slipwayd: %s\n", e.detail.c_str());
  return exit_unusable;
}

/// Splits `127.0.0.1:8080`; the port after the last colon.
bool split_address(const std::string& text, std::string& host, std::uint16_t& port) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) {
    return false;
  }
  host = text.substr(0, colon);
  try {
    const auto n = std::stoul(text.substr(colon + 1));
    port = static_cast<std::uint16_t>(n);
    return n <= 65535 && !host.empty();
  } catch (const std::exception&) {
    return false;
  }
}

int serve(runtime::node_options o, const std::string& http) {
  if (!split_address(http, o.http_address, o.http_port)) {
    return complain({messages::errc::invalid_argument, "--http: not an address and port: " + http});
  }
  // Taken by sigwait below, so every thread starts with them blocked.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto node = runtime::node::start(o);
  if (!node) {
    return complain(node.error());
  }
  if (!(*node)->generated_password().empty()) {
    std::cout << "administrator: admin\npassword: " << (*node)->generated_password()
              << "\n(shown this once; change it with `slipway user passwd`)" << std::endl;
  }
  runtime::log::info(
    "slipwayd serves",
    {{"http", o.http_address + ":" + std::to_string((*node)->http_port())},
     {"overlay", (*node)->overlay_endpoint()},
     {"data", o.data_dir}});
  int signal = 0;
  sigwait(&signals, &signal);
  runtime::log::info("slipwayd stops", {{"signal", std::to_string(signal)}});
  node->reset();
  return 0;
}

int rebuild(const std::string& data_dir) {
  const auto report = storage::rebuild({data_dir + "/store", nullptr, domain::resource_model()});
  if (!report) {
    return complain(report.error());
  }
  std::cout << "rebuild: " << (report->identical ? "identical" : "different") << ": "
            << report->commits << " commits, " << report->events << " events, " << report->rows
            << " rows, " << report->index_entries << " index entries";
  if (!report->identical) {
    std::cout << ", " << report->differences << " differences";
  }
  std::cout << std::endl;
  for (const auto& line : report->first_differences) {
    std::cout << "  " << line << "\n";
  }
  return report->identical ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"slipwayd: deploys software to fleets of Linux devices"};
  app.set_version_flag("--version", std::string("slipwayd ") + SLIPWAY_VERSION);
  app.require_subcommand(1);
  app.footer(
    "Examples:\n"
    "  slipwayd serve --data-dir /var/lib/slipway\n"
    "  slipwayd serve --data-dir D --http 127.0.0.1:0 --overlay tcp://127.0.0.1:0 --admin-file F\n"
    "  slipwayd rebuild --data-dir D");

  runtime::node_options o;
  std::string http = "127.0.0.1:8080";
  std::string log_level = "info";
  std::string log_format = "text";
  auto* serve_command = app.add_subcommand("serve", "Run the server");
  serve_command->add_option("--data-dir", o.data_dir, "Folder for everything that is kept")
    ->required()
    ->envname("SLIPWAY_DATA_DIR");
  serve_command->add_option("--http", http, "Address and port of HTTP; port 0 = any free one")
    ->capture_default_str()
    ->envname("SLIPWAY_HTTP");
  serve_command->add_option("--overlay", o.overlay_endpoint, "Where devices connect to")
    ->capture_default_str()
    ->envname("SLIPWAY_OVERLAY");
  serve_command
    ->add_option(
      "--domain",
      o.domain,
      "Serve api.NAME, registry2.NAME, ... instead of a plain address")
    ->envname("SLIPWAY_DOMAIN");
  serve_command
    ->add_option("--public-url", o.public_url, "What clients and devices are told to use as API")
    ->envname("SLIPWAY_PUBLIC_URL");
  serve_command
    ->add_option(
      "--admin-file",
      o.admin_file,
      "name:password of the administrator that a first start creates")
    ->envname("SLIPWAY_ADMIN_FILE");
  serve_command->add_option("--http-threads", o.http_threads, "Threads that serve HTTP")
    ->check(CLI::Range(1, 64))
    ->capture_default_str()
    ->envname("SLIPWAY_HTTP_THREADS");
  serve_command->add_option("--log-level", log_level, "debug, info, warn or error")
    ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
    ->envname("SLIPWAY_LOG_LEVEL");
  serve_command->add_option("--log-format", log_format, "text or json")
    ->check(CLI::IsMember({"text", "json"}))
    ->envname("SLIPWAY_LOG_FORMAT");

  auto* rebuild_command = app.add_subcommand(
    "rebuild",
    "Rebuild the read model from the log and say whether it was identical");
  rebuild_command->add_option("--data-dir", o.data_dir, "Folder of a server that is not running")
    ->required()
    ->envname("SLIPWAY_DATA_DIR");

  auto* edge_command = app.add_subcommand(
    "edge",
    "Hold device sessions; started by serve, which writes its configuration to standard input");

  CLI11_PARSE(app, argc, argv);
  const auto level = log_level == "debug"   ? runtime::log::level::debug
                     : log_level == "warn"  ? runtime::log::level::warn
                     : log_level == "error" ? runtime::log::level::error
                                            : runtime::log::level::info;
  runtime::log::init(
    "slipwayd",
    level,
    log_format == "json" ? runtime::log::format::json : runtime::log::format::text);
  if (*serve_command) {
    return serve(std::move(o), http);
  }
  if (*edge_command) {
    return runtime::edge_main();
  }
  return rebuild(o.data_dir);
}
