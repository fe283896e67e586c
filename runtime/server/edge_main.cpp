#include "runtime/server/edge_main.hpp"

#include "actors/device_session.hpp"
#include "runtime/bus.hpp"
#include "runtime/log.hpp"
#include "runtime/overlay/edge_router.hpp"
#include "runtime/server/child_start.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <csignal>
#include <optional>

namespace slipway::runtime {
namespace {

constexpr int exit_unusable = 2;

int fail_start(const messages::error& e) {
  log::error("the edge cannot start", {{"error", e.detail}});
  return exit_unusable;
}

}  // namespace

int edge_main() {
  const auto signals = block_stop_signals();
  const auto config = read_child_config<edge_config>();
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
