#include "domain/resource_model.hpp"
#include "runtime/log.hpp"
#include "runtime/serve_config.hpp"
#include "runtime/server/admin_main.hpp"
#include "runtime/server/builder_main.hpp"
#include "runtime/server/care_main.hpp"
#include "runtime/server/edge_main.hpp"
#include "runtime/server/git_hook_main.hpp"
#include "runtime/server/node.hpp"
#include "storage/embedded_store.hpp"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace slipway;
using runtime::log::format;
using runtime::log::level;

constexpr int exit_unusable = 2;

constexpr std::string_view usage =
  "slipwayd: deploys software to fleets of Linux devices\n"
  "\n"
  "Usage: slipwayd COMMAND [OPTIONS]\n"
  "\n"
  "Commands:\n"
  "  serve    run the server\n"
  "  builder  build what users push, for a server here or elsewhere\n"
  "  admin    users, sessions, organizations and build workers, for the operator on this machine\n"
  "  gc       collect garbage of the image registry, or tell what would go\n"
  "  scrub    read all blobs of the image registry and set rotten ones aside\n"
  "  rebuild  rebuild the read model from the log and say whether it was identical\n"
  "  edge     hold device sessions; started by serve\n"
  "  git-hook forward a push to the builder; started by git\n"
  "\n"
  "`slipwayd COMMAND --help` tells a command's options. `slipwayd --version` prints the version.\n"
  "\n"
  "Examples:\n"
  "  slipwayd serve --data-dir /var/lib/slipway\n"
  "  slipwayd serve --data-dir D --http 127.0.0.1:0 --overlay tcp://127.0.0.1:0 --admin-file F\n"
  "  slipwayd admin --data-dir D user create ann\n"
  "  slipwayd rebuild --data-dir D\n";

int complain(const messages::error& e) {
  std::fprintf(stderr, "slipwayd: %s\n", e.detail.c_str());
  return exit_unusable;
}

/// What a command line or a bad setting is answered with.
int show(const std::string& text, int exit_code) {
  std::fputs(text.c_str(), exit_code == 0 ? stdout : stderr);
  return exit_code;
}

void init_log(const std::string& least, const std::string& how) {
  const auto l = least == "debug"   ? level::debug
                 : least == "warn"  ? level::warn
                 : least == "error" ? level::error
                                    : level::info;
  runtime::log::init("slipwayd", l, how == "json" ? format::json : format::text);
}

int serve(const std::vector<std::string>& arguments) {
  const auto loaded = runtime::load_serve_config(arguments, runtime::process_environment());
  if (!loaded.config) {
    return show(loaded.text, loaded.exit_code);
  }
  const auto& config = *loaded.config;
  init_log(config.log_level, config.log_format);
  // Taken by sigwait below, so every thread starts with them blocked.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  auto node = runtime::node::start(config);
  if (!node) {
    return complain(node.error());
  }
  if (!(*node)->generated_password().empty()) {
    std::printf(
      "administrator: admin\npassword: %s\n(shown this once)\n",
      (*node)->generated_password().c_str());
    std::fflush(stdout);
  }
  if (config.https) {
    const auto port = std::to_string((*node)->https_port());
    runtime::log::info(
      "slipwayd serves TLS",
      {{"https", config.https->host + ":" + port},
       {"domain", config.domain},
       {"certificate", config.certificates.empty() ? "own authority" : "given"}});
  }
  runtime::log::info(
    "slipwayd serves",
    {{"http", config.http.host + ":" + std::to_string((*node)->http_port())},
     {"overlay", (*node)->overlay_endpoint()},
     {"ssh", (*node)->ssh_address()},
     {"data", config.data_dir}});
  int signal = 0;
  sigwait(&signals, &signal);
  runtime::log::info("slipwayd stops", {{"signal", std::to_string(signal)}});
  node->reset();
  return 0;
}

/// `slipwayd edge LEVEL FORMAT`: logs as the server that started it does.
int edge(const std::vector<std::string>& arguments) {
  if (arguments == std::vector<std::string>{"--help"}) {
    return show("slipwayd edge: it is run by slipwayd serve, to hold device sessions\n", 0);
  }
  if (arguments.size() == 2) {
    init_log(arguments[0], arguments[1]);
  }
  return runtime::edge_main();
}

const runtime::command_settings& rebuild_settings() {
  static const runtime::command_settings command = [] {
    runtime::setting data_dir;
    data_dir.name = "data_dir";
    data_dir.help = "Folder of a server that is not running";
    data_dir.required = true;
    return runtime::command_settings{
      "slipwayd rebuild",
      "Rebuild the read model from the log; exit code 0 when it was identical, 1 when it was not",
      {data_dir},
      "Examples:\n  slipwayd rebuild --data-dir /var/lib/slipway\n"};
  }();
  return command;
}

int rebuild(const std::vector<std::string>& arguments) {
  const auto loaded =
    runtime::load_settings(rebuild_settings(), arguments, runtime::process_environment());
  if (!loaded.values) {
    return show(loaded.text, loaded.exit_code);
  }
  const auto report = storage::rebuild(
    {loaded.values->text("data_dir") + "/store", nullptr, domain::resource_model()});
  if (!report) {
    return complain(report.error());
  }
  std::printf(
    "rebuild: %s: %llu commits, %llu events, %llu rows, %llu index entries, %llu differences\n",
    report->identical ? "identical" : "different",
    static_cast<unsigned long long>(report->commits),
    static_cast<unsigned long long>(report->events),
    static_cast<unsigned long long>(report->rows),
    static_cast<unsigned long long>(report->index_entries),
    static_cast<unsigned long long>(report->differences));
  for (const auto& line : report->first_differences) {
    std::printf("  %s\n", line.c_str());
  }
  return report->identical ? 0 : 1;
}

}  // namespace

namespace {

/// Connections are descriptors, and the usual soft limit is 1,024.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);  // what it cannot have it does without
  }
}

}  // namespace

int main(int argc, char** argv) {
  allow_many_descriptors();
  const std::string command = argc > 1 ? argv[1] : "";
  const std::vector<std::string> rest(argv + std::min(argc, 2), argv + argc);
  init_log("info", "text");
  if (command == "serve") {
    return serve(rest);
  }
  if (command == "edge") {
    return edge(rest);
  }
  if (command == "git-hook") {
    return runtime::git_hook_main(rest);
  }
  if (command == "builder") {
    return runtime::builder_main(rest);
  }
  if (command == "admin") {
    return runtime::admin_main(rest);
  }
  if (command == "gc") {
    return runtime::gc_main(rest);
  }
  if (command == "scrub") {
    return runtime::scrub_main(rest);
  }
  if (command == "rebuild") {
    return rebuild(rest);
  }
  if (command == "--version") {
    return show(std::string("slipwayd ") + SLIPWAY_VERSION + "\n", 0);
  }
  const bool asked = command == "--help" || command == "-h" || command == "help";
  return show(std::string(usage), asked ? 0 : exit_unusable);
}
