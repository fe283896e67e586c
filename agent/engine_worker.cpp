#include "agent/engine_worker.hpp"

#include "agent/actor_support.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

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

}  // namespace

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
    const auto done = s.kind == step_kind::release_image
                        ? host->release_image(s.key, m.pulled.at(released++))
                        : host->perform(s, *m.desired);
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

caf::behavior engine_worker(caf::stateful_actor<engine_worker_state>* self, container_host* host) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  self->state.host = host;
  return {
    [self](const take_snapshot&) { self->state.snapshot(); },
    [self](const perform_steps& m) { self->state.perform(m); },
  };
}

}  // namespace slipway::agent
