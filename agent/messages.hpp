#pragma once

#include "domain/planner.hpp"
#include "domain/supervisor_api.hpp"
#include "domain/target_state.hpp"
#include "messages/overlay.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What the agent's actors tell each other. All of it stays in the process and none of it asks for an answer: who is
/// told something late or twice looks at the engine or the store again and is right.
namespace slipway::agent {

struct asked_action;

// To the poller.
struct poll_tick {
  std::uint64_t round = 0;  ///< an older one is stale: a delayed send cannot be called back
};
/// Fetch the target now; `notice` is acknowledged once the platform answered, 0 = nobody to tell.
struct poll_now {
  std::uint64_t notice = 0;
};

// To the applier.
struct target_arrived {
  std::shared_ptr<const domain::target_state> target;
};
/// The platform said that nothing changed. After a notice that means: try again what failed.
struct target_confirmed {
  bool asked = false;  ///< the poll was due to a notice
};
struct apply_tick {
  std::uint64_t round = 0;
};
struct snapshot_taken {
  std::shared_ptr<const domain::current_state> state;  ///< null = failed
  std::string why;
  bool engine_down = false;
};
struct steps_done {
  std::string failed;  ///< "" = all done
  bool engine_down = false;
  std::size_t failed_at = 0;  ///< which of the steps
};
struct image_progress {
  std::string key;
  int percent = 0;
};
struct image_fetched {
  std::string key;
  std::string failed;  ///< "" = it is there and held
  bool cancelled = false;
};

/// A shared pointer, since what is asked for carries a function.
struct action_asked {
  std::shared_ptr<asked_action> what;
};
/// The target may be applied in spite of update locks, until it is reached.
struct force_update {};
/// Going down did not happen: work goes on.
struct work_again {};
/// Answered with view_taken.
struct view_wanted {
  std::uint64_t ticket = 0;
};

// To the API.
struct view_taken {
  std::uint64_t ticket = 0;
  std::shared_ptr<const domain::device_view> view;  ///< only what the applier knows is filled in
};
struct api_called {
  std::shared_ptr<const domain::api_request> request;
  std::function<void(const domain::api_answer&)>
    reply;  ///< called once, on the API's thread: forward it
  std::chrono::milliseconds timeout{0};
};
struct action_over {
  std::uint64_t ticket = 0;
  messages::result<std::string> outcome;
};
struct link_changed {
  bool connected = false;
};
struct blink_tick {
  int left = 0;
};

// To the engine worker and the fetcher.
struct take_snapshot {};
struct perform_steps {
  std::vector<domain::step> steps;
  std::shared_ptr<const domain::desired_state> desired;
  std::vector<std::string>
    pulled;  ///< of release_image steps, in their order: the reference we pulled, or ""
};
struct fetch_image {
  std::string image;
  std::string key;
};

// To the reporter.
struct state_changed {
  std::shared_ptr<const std::string> apps;  ///< JSON
};
struct status_changed {
  std::string status;  ///< `Idle`, or what is wrong, for people
};
struct report_tick {
  std::uint64_t round = 0;
};

struct secret_changed {
  std::string api_secret;
};

// To the link.
struct notice_handled {
  std::uint64_t id = 0;
};
struct call_answered {
  std::uint64_t epoch = 0;
  messages::call_answer answer;
};

// To the supervisor.
/// Identity known to the platform: work may begin.
struct registered {
  std::string uuid;
  std::string device_key;
};
struct announced {};  ///< so is the overlay key: the link may begin
struct provision_tick {};
struct revive {};     ///< start the workers again after one of them failed
struct stop_tick {};  ///< cancel what still blocks

}  // namespace slipway::agent

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::poll_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::poll_now)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::target_arrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::target_confirmed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::apply_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::snapshot_taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::steps_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::image_progress)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::image_fetched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::take_snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::perform_steps)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::fetch_image)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::state_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::status_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::report_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::notice_handled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::registered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::announced)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::provision_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::revive)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::stop_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::action_asked)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::force_update)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::work_again)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::view_wanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::view_taken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::api_called)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::action_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::link_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::blink_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::secret_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipway::agent::call_answered)
