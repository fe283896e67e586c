#include "agent/run.hpp"
#include "runtime/log.hpp"

#include <CLI/CLI.hpp>
#include <malloc.h>

namespace {

constexpr auto examples = R"(
Examples:
  slipway-agent run --config /boot/config.json --state-dir /var/lib/slipway-agent
  slipway-agent run --config config.json --state-dir state --engine unix:///run/podman/podman.sock

The config file is what `slipway device config` or `balena config generate` writes. The agent makes the
device's identity, registers it, and then keeps the containers as the platform says. It never stops
containers when it stops itself.

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed while running, 2 config file, state folder or
arguments not usable.)";

/// Detached actors have an arena each otherwise; a small program needs no more than one.
void keep_memory_small() {
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

}  // namespace

int main(int argc, char** argv) {
  keep_memory_small();
  CLI::App app("slipway-agent: runs what a fleet says on this device");
  app.footer(examples);
  app.set_version_flag("--version", SLIPWAY_VERSION);
  app.require_subcommand(1);

  slipway::agent::run_options options;
  auto* run = app.add_subcommand("run", "Run the agent in the foreground");
  run->footer(examples);
  run
    ->add_option(
      "--config",
      options.config_file,
      "The device's config.json; rewritten when it registers")
    ->required();
  run->add_option("--state-dir", options.state_folder, "Folder for what the agent must remember")
    ->required();
  run->add_option("--engine", options.engine, "Container engine: unix:///path of its socket")
    ->capture_default_str();
  run
    ->add_option(
      "--engine-certs",
      options.engine_certificates,
      "Where the engine looks for a registry's roots; the balenaRootCA of config.json goes there")
    ->capture_default_str();
  run
    ->add_option(
      "--lock-dir",
      options.lock_folder,
      "Folder of update locks, which containers mount; each agent on an engine needs its own")
    ->capture_default_str();
  run->add_option(
    "--poll-interval-ms",
    options.poll_interval_ms,
    "Poll this often, whatever config.json and the platform say");
  run->add_option("--report-gap-ms", options.report_gap_ms, "Least time between two reports")
    ->capture_default_str()
    ->check(CLI::Range(0, 3'600'000));
  run->add_flag("--verbose,-v", options.verbose, "Log more");
  run->add_flag("--log-json", options.log_json, "Log one JSON object a line");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  namespace log = slipway::runtime::log;
  log::init(
    "slipway-agent",
    options.verbose ? log::level::debug : log::level::info,
    options.log_json ? log::format::json : log::format::text);
  return slipway::agent::run_agent(options);
}
