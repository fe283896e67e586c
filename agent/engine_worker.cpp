#include "agent/engine_worker.hpp"

#include "agent/actor_support.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace slipway::agent {
namespace {

using domain::step_kind;

/// A place to die after each kind of step: the next start must find its way from what is there.
void pass_failpoint(step_kind kind) {
  switch (kind) {
    case step_kind::stop:
      SLIPWAY_FAILPOINT("agent.apply.stop");
      break;
    case step_kind::remove:
      SLIPWAY_FAILPOINT("agent.apply.remove");
      break;
    case step_kind::create_network:
      SLIPWAY_FAILPOINT("agent.apply.create_network");
      break;
    case step_kind::remove_network:
      SLIPWAY_FAILPOINT("agent.apply.remove_network");
      break;
    case step_kind::create_volume:
      SLIPWAY_FAILPOINT("agent.apply.create_volume");
      break;
    case step_kind::create:
      SLIPWAY_FAILPOINT("agent.apply.create");
      break;
    case step_kind::start:
      SLIPWAY_FAILPOINT("agent.apply.start");
      break;
    case step_kind::rename:
      SLIPWAY_FAILPOINT("agent.apply.rename");
      break;
    case step_kind::release_image:
      SLIPWAY_FAILPOINT("agent.apply.release_image");
      break;
    case step_kind::remove_volume:
      SLIPWAY_FAILPOINT("agent.apply.remove_volume");
      break;
    case step_kind::restart:
      SLIPWAY_FAILPOINT("agent.apply.restart");
      break;
    case step_kind::fetch:
    case step_kind::wait:
      break;
  }
}

/// What people read of a step: before it, after it, and when it failed. Empty = not worth a line.
struct step_words {
  const char* begins = "";
  const char* done = "";
  const char* verb = "";
  const char* what = "service";
};

step_words words_of(step_kind kind) {
  switch (kind) {
    case step_kind::stop:
      return {"Stopping", "Stopped", "stop"};
    case step_kind::remove:
      return {"Removing", "Removed", "remove"};
    case step_kind::create:
      return {"Installing", "Installed", "install"};
    case step_kind::start:
      return {"Starting", "Started", "start"};
    case step_kind::create_network:
      return {"Creating", "Created", "create", "network"};
    case step_kind::remove_network:
      return {"Removing", "Removed", "remove", "network"};
    case step_kind::create_volume:
      return {"Creating", "Created", "create", "volume"};
    case step_kind::remove_volume:
      return {"Removing", "Removed", "remove", "volume"};
    case step_kind::restart:
      return {"Restarting", "Restarted", "restart"};
    case step_kind::release_image:
      return {"Deleting", "Deleted", "delete", "image"};
    case step_kind::rename:
    case step_kind::fetch:
    case step_kind::wait:
      break;
  }
  return {};
}

/// Row id of the service that a step is about, 0 if it is about none.
std::int64_t service_of(const domain::step& s, const domain::desired_state& desired) {
  const auto app = desired.apps.find(s.app);
  if (app == desired.apps.end() || !app->second.services.contains(s.service)) {
    return 0;
  }
  const auto id = app->second.services.at(s.service).body.value(
    nlohmann::json::json_pointer("/Labels/io.balena.service-id"),
    "0");
  return std::strtoll(id.c_str(), nullptr, 10);
}

}  // namespace

void engine_worker_state::tell(const domain::step& s, const perform_steps& m, const char* problem)
  const {
  const auto words = words_of(s.kind);
  if (!say || *words.verb == '\0') {
    return;
  }
  const std::string about = s.kind == step_kind::release_image ? s.key : s.service;
  const auto service = service_of(s, *m.desired);
  if (problem == nullptr) {
    say(std::string(words.begins) + " " + words.what + " " + about, service, false);
  } else if (*problem == '\0') {
    say(std::string(words.done) + " " + words.what + " " + about, service, false);
  } else {
    say(
      std::string("Could not ") + words.verb + " " + words.what + " " + about + ": " + problem,
      service,
      true);
  }
}

void engine_worker_state::snapshot() {
  const auto asker = caf::actor_cast<caf::actor>(self->current_sender());
  auto got = host->snapshot();
  snapshot_taken answer;
  if (got) {
    answer.state = std::make_shared<const domain::current_state>(std::move(*got));
  } else {
    answer.why = got.error().detail;
    answer.engine_down = got.error().code == messages::errc::unavailable;
  }
  self->send(asker, std::move(answer));
}

void engine_worker_state::perform(const perform_steps& m) {
  const auto asker = caf::actor_cast<caf::actor>(self->current_sender());
  std::size_t released = 0;
  for (std::size_t at = 0; at < m.steps.size(); ++at) {
    const auto& s = m.steps[at];
    runtime::log::info(
      "step",
      {{"do", std::string(domain::name(s.kind))}, {"service", s.service}, {"image", s.key}});
    tell(s, m, nullptr);
    const auto done = s.kind == step_kind::release_image
                        ? host->release_image(s.key, m.pulled.at(released++))
                        : host->perform(s, *m.desired);
    tell(s, m, done ? "" : done.error().detail.c_str());
    if (!done) {
      self->send(
        asker,
        steps_done{
          std::string(domain::name(s.kind)) + " " + s.service + ": " + done.error().detail,
          done.error().code == messages::errc::unavailable,
          at});
      return;
    }
    pass_failpoint(s.kind);
  }
  self->send(asker, steps_done{});
}

caf::behavior engine_worker(
  caf::stateful_actor<engine_worker_state>* self,
  container_host* host,
  device_say say) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  self->state.host = host;
  self->state.say = std::move(say);
  return {
    [self](const take_snapshot&) { self->state.snapshot(); },
    [self](const perform_steps& m) { self->state.perform(m); },
  };
}

}  // namespace slipway::agent
