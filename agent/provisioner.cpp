#include "agent/provisioner.hpp"

#include "agent/actor_support.hpp"
#include "runtime/log.hpp"

#include <caf/exit_reason.hpp>

namespace slipway::agent {

/// A registered device works even if the rest of its introduction does not get through.
void provisioner_state::tell() {
  if (!told && config->is_provisioned()) {
    told = true;
    self->send(links.supervisor, registered{config->uuid(), config->device_key()});
  }
}

void provisioner_state::attempt() {
  tell();
  std::string why;
  switch (work->attempt(why)) {
    case provisioning_outcome::done:
      tell();
      self->send(links.supervisor, announced{});
      return self->quit(caf::exit_reason::normal);
    case provisioning_outcome::new_identity:
      self->send(self, provision_tick{});
      return;
    case provisioning_outcome::retry:
      tell();
      break;
  }
  const auto pause = backoff(provision_backoff_first, links.backoff_max, failures);
  ++failures;
  runtime::log::warn(
    "not registered yet",
    {{"why", why}, {"again_in_ms", std::to_string(pause.count())}});
  const auto jitter = links.random(static_cast<std::uint64_t>(pause.count() / 4));
  self->delayed_send(self, pause + milliseconds(jitter), provision_tick{});
}

caf::behavior provisioner(
  caf::stateful_actor<provisioner_state>* self,
  device_config* config,
  provisioning* work,
  provisioner_links links) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  self->state.config = config;
  self->state.work = work;
  self->state.links = std::move(links);
  self->send(self, provision_tick{});
  return {[self](const provision_tick&) { self->state.attempt(); }};
}

}  // namespace slipway::agent
