#include "runtime/builder_supervisor.hpp"

#include "messages/json.hpp"
#include "runtime/child_keeper.hpp"
#include "runtime/container_engine.hpp"
#include "runtime/join_token.hpp"
#include "runtime/log.hpp"

#include <optional>

namespace slipway::runtime {
namespace {

constexpr int stop_grace_ms = 15'000;  // builds are cut short and cleared up

}  // namespace

struct builder_supervisor::impl {
  builder_supervisor::options options;
  allow_function allow;
  container_engine probe;
  std::optional<child_keeper> keeper;
  bool engine_seen = true;  ///< what was last said of it

  impl(builder_supervisor::options o, allow_function a)
    : options(std::move(o)), allow(std::move(a)), probe(options.engine) {}

  std::optional<std::string> input();
  std::string config_text();
};

/// No engine, no worker: the server is complete without.
std::optional<std::string> builder_supervisor::impl::input() {
  const auto answer = probe.ping();
  if (answer.has_value() != engine_seen) {
    engine_seen = answer.has_value();
    if (engine_seen) {
      log::info("a container engine answers: builds run here", {{"engine", options.engine}});
    } else {
      log::info(
        "no container engine answers: no builds here",
        {{"engine", options.engine}, {"why", answer.error().detail}});
    }
  }
  return answer ? std::optional<std::string>(config_text()) : std::nullopt;
}

std::string builder_supervisor::impl::config_text() {
  const auto keys = make_curve_keys();
  allow(embedded_builder, keys.public_key);
  builder_config c;
  c.core = options.core;
  c.server_key = options.server_key;
  c.public_key = keys.public_key;
  c.secret_key = keys.secret_key;
  c.name = embedded_builder;
  c.engine = options.engine;
  c.slots = options.slots;
  c.work_dir = options.work_dir;
  c.open_network = options.open_network;
  c.log_level = options.log_level;
  c.log_format = options.log_format;
  return messages::dump_json(c) + "\n";
}

builder_supervisor::builder_supervisor(options o, allow_function allow)
  : impl_(std::make_unique<impl>(std::move(o), std::move(allow))) {}

builder_supervisor::~builder_supervisor() {
  stop();
}

void builder_supervisor::start() {
  child_keeper::options o;
  o.what = "builder";
  o.program = impl_->options.program;
  o.arguments = impl_->options.arguments;
  o.restart_ms_min = impl_->options.restart_ms_min;
  o.restart_ms_max = impl_->options.restart_ms_max;
  o.retry_ms = impl_->options.engine_poll_ms;
  impl_->keeper.emplace(
    std::move(o),
    child_keeper::callbacks{[i = impl_.get()] { return i->input(); }, nullptr, nullptr});
  impl_->keeper->start();
}

void builder_supervisor::stop() {
  if (impl_->keeper) {
    impl_->probe.cancel();
    impl_->keeper->stop(stop_grace_ms);
  }
}

pid_t builder_supervisor::pid() const {
  return impl_->keeper ? impl_->keeper->pid() : -1;
}

}  // namespace slipway::runtime
