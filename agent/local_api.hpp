#pragma once

#include "agent/backoff.hpp"
#include "agent/messages.hpp"
#include "agent/platform_api.hpp"
#include "agent/ports.hpp"
#include "agent/state_store.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace slipway::agent {

struct local_api_settings {
  std::string uuid;
  std::string device_key;
};

struct local_api_links {
  caf::actor applier;
  caf::actor poller;
  caf::actor reporter;
  host_port* host = nullptr;
  host_control* control = nullptr;
  platform_api* api = nullptr;
  state_store* store = nullptr;
  std::function<milliseconds()> now;  ///< monotonic
  std::function<std::string()> new_secret;
};

constexpr std::size_t api_calls_max = 16;  ///< at once; further ones are answered 503
constexpr milliseconds blink_step{500};
constexpr int blink_steps = 30;           ///< 15 s
constexpr milliseconds halt_max{60'000};  ///< a device that did not go down by then goes on working

/// Answers the supervisor API (domain/supervisor_api.hpp): looks at what the applier knows, routes, has actions carried out.
/// Blocks in host commands and HTTP: spawn it detached.
struct local_api_state {
  static inline const char* name = "api";

  void called(const api_called& m);
  void viewed(const view_taken& m);
  void over(const action_over& m);
  void changed(const link_changed& m);
  void blink(const blink_tick& m);

  void act(std::uint64_t ticket);
  void act_on_containers(std::uint64_t ticket);
  void go_down(std::uint64_t ticket);
  [[nodiscard]] messages::result<std::string> read_tags();
  [[nodiscard]] messages::result<std::string> change_tags(const std::string& tags);
  [[nodiscard]] messages::result<std::string> read_journal(const std::string& arguments);
  [[nodiscard]] messages::result<std::string> new_key();
  void start_blinking();
  void end(std::uint64_t ticket, domain::api_answer answer);
  void end(std::uint64_t ticket, const messages::result<std::string>& outcome);

  struct call {
    api_called request;
    milliseconds deadline{0};
    domain::api_action action;
  };
  caf::stateful_actor<local_api_state>* self = nullptr;
  local_api_settings settings;
  local_api_links links;
  std::map<std::uint64_t, call> calls;  ///< by ticket
  std::uint64_t last_ticket = 0;
  bool connected = false;
  bool blinking = false;
};

caf::behavior local_api(
  caf::stateful_actor<local_api_state>* self,
  local_api_settings settings,
  local_api_links links);

}  // namespace slipway::agent
