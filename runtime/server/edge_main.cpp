#include "runtime/server/edge_main.hpp"

#include "actors/device_session.hpp"
#include "messages/json.hpp"
#include "runtime/bus.hpp"
#include "runtime/log.hpp"
#include "runtime/overlay/edge_router.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

namespace slipway::runtime {
namespace {

constexpr std::size_t config_bytes_max = 64U * 1024;
constexpr int exit_unusable = 2;

/// Up to the first line end or the end of the input.
std::string read_line(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < config_bytes_max && text.find('\n') == std::string::npos) {
    const auto n = ::read(descriptor, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

messages::result<edge_config> read_config() {
  const auto parsed = messages::parse_json(read_line(STDIN_FILENO));
  if (!parsed) {
    return tl::unexpected(parsed.error());
  }
  try {
    return parsed->get<edge_config>();
  } catch (const nlohmann::json::exception& e) {
    return messages::fail(messages::errc::invalid_argument, e.what());
  }
}

/// Signals are taken by `sigwait`, so every thread must be started with them blocked.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return set;
}

int fail_start(const messages::error& e) {
  log::error("the edge cannot start", {{"error", e.detail}});
  return exit_unusable;
}

}  // namespace

int edge_main() {
  const auto signals = block_signals();
  const auto config = read_config();
  if (!config) {
    return fail_start(messages::with_context("configuration on standard input", config.error()));
  }
  caf::actor_system_config actors_config;
  // `sharing` wakes an idle worker at once (building-blocks.md 1); sessions have little to compute.
  actors_config.set("scheduler.policy", caf::atom("sharing"));
  actors_config.set("scheduler.max-threads", std::size_t{1});

  // Declared in the order of dependence: actors use the router, the router uses the bus.
  std::optional<bus_client> bus;
  edge_router router(*config, [&bus](std::string m) { return bus->send(std::move(m)); });
  bus.emplace(
    bus_client::options{
      config->bus_endpoint,
      config->bus_server_key,
      {config->bus_public_key, config->bus_secret_key},
      "edge-" + std::to_string(config->edge)},
    bus_client::callbacks{
      [&router] { router.core_up(); },
      nullptr,
      [&router](messages::envelope e) { router.deliver(std::move(e)); }});
  caf::actor_system system(actors_config);
  const auto host = actors::make_session_host(system, router);
  if (const auto started = router.start(*host); !started) {
    return fail_start(started.error());
  }
  if (const auto started = bus->start(); !started) {
    return fail_start(started.error());
  }
  log::info("edge started", {{"endpoint", router.endpoint()}});
  int signal = 0;
  ::sigwait(&signals, &signal);
  log::info("edge stops", {{"signal", std::to_string(signal)}});
  router.stop();
  bus->stop();
  return 0;
}

}  // namespace slipway::runtime
