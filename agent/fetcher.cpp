#include "agent/fetcher.hpp"

#include "agent/actor_support.hpp"
#include "runtime/clock.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"

namespace slipway::agent {
namespace {

constexpr std::int64_t progress_every_ms = 250;

}  // namespace

void fetcher_state::fetch(const fetch_image& m) {
  const auto asker = caf::actor_cast<caf::actor>(self->current_sender());
  runtime::log::info("fetching", {{"image", m.image}});
  SLIPWAY_FAILPOINT("agent.apply.fetch_begun");
  tell("Downloading image " + m.image, false);
  std::int64_t told_ms = 0;
  int told = -1;
  const auto done = host->fetch(m.image, m.key, [&](int percent) {
    const auto now = runtime::steady_ms();
    if (percent != told && now - told_ms >= progress_every_ms) {
      told = percent;
      told_ms = now;
      self->send(asker, image_progress{m.key, percent});
    }
    return true;
  });
  image_fetched answer;
  answer.key = m.key;
  if (!done) {
    answer.failed = done.error().detail;
    tell("Could not download image " + m.image + ": " + answer.failed, true);
  } else {
    tell("Downloaded image " + m.image, false);
  }
  SLIPWAY_FAILPOINT("agent.apply.fetch");
  self->send(asker, std::move(answer));
}

void fetcher_state::tell(std::string text, bool error) const {
  if (say) {
    say(std::move(text), 0, error);
  }
}

caf::behavior
fetcher(caf::stateful_actor<fetcher_state>* self, container_host* host, device_say say) {
  self->set_default_handler(drop_unexpected);
  self->set_exception_handler(exception_to_error);
  self->state.self = self;
  self->state.host = host;
  self->state.say = std::move(say);
  return {[self](const fetch_image& m) { self->state.fetch(m); }};
}

}  // namespace slipway::agent
