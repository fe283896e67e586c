#pragma once

#include "agent/backoff.hpp"
#include "agent/log_messages.hpp"
#include "agent/log_ports.hpp"
#include "agent/platform_api.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <string>

namespace slipway::agent {

struct log_uploader_settings {
  std::string uuid;
  std::string device_key;
};

struct log_uploader_links {
  std::function<milliseconds()> now;      ///< monotonic
  std::function<std::int64_t()> wall_ms;  ///< since 1970
};

constexpr milliseconds log_first_wait{100};  ///< after a quiet time, for lines that come together
constexpr milliseconds log_ship_gap{
  1'000};  ///< between two requests of a device that has much to say
constexpr milliseconds log_backoff_first{5'000};
constexpr milliseconds log_backoff_max{300'000};
constexpr std::size_t log_portion_bytes_max = 128 * 1024;
/// A portion that the platform calls malformed so often is given up.
constexpr unsigned log_refusals_max = 3;

/// Sends the queue to the platform, oldest first. A portion leaves the queue once the platform has it on disk; one without an answer is sent
/// again. Blocks in HTTP: spawn it detached.
struct log_uploader_state {
  static inline const char* name = "log_uploader";

  void ready();
  void tick(const log_tick& m);
  void control(const log_control& m);

  void ship();
  void accepted(const log_portion& p);
  void refused(const log_portion& p, const platform_api::result& got);
  void wake(milliseconds pause);

  caf::stateful_actor<log_uploader_state>* self = nullptr;
  platform_api* api = nullptr;
  log_queue_port* queue = nullptr;
  log_uploader_settings settings;
  log_uploader_links links;
  bool on = true;
  bool waiting = false;  ///< a tick is on its way
  std::uint64_t round = 0;
  milliseconds shipped{0};
  unsigned failures = 0;
  unsigned refusals = 0;
};

caf::behavior log_uploader(
  caf::stateful_actor<log_uploader_state>* self,
  platform_api* api,
  log_queue_port* queue,
  log_uploader_settings settings,
  log_uploader_links links);

}  // namespace slipway::agent
