#pragma once

#include "agent/backoff.hpp"
#include "agent/log_lines.hpp"
#include "agent/log_messages.hpp"
#include "agent/log_ports.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>

namespace slipway::agent {

struct log_collector_links {
  caf::actor uploader;
  std::function<milliseconds()> now;      ///< monotonic
  std::function<std::int64_t()> wall_ms;  ///< since 1970
};

constexpr milliseconds log_run_wait{400};      ///< what the agent itself says waits as long
constexpr milliseconds log_look_every{2'000};  ///< for containers that came or went
constexpr milliseconds log_look_backoff_max{60'000};
/// Read in one round, and after such a round, a rest: a container that prints without end must not eat the device. What it prints
/// meanwhile waits with the engine.
constexpr std::size_t log_round_bytes_max = 256 * 1024;
constexpr milliseconds log_round_rest{100};
constexpr milliseconds log_round_pause{10};
/// Lines taken of a container that is seen for the first time.
constexpr int log_first_lines_max = 10'000;

/// Takes what this device's containers print, and what the agent itself has to say, into the queue. Blocks: spawn it detached.
struct log_collector_state {
  static inline const char* name = "log_collector";

  void tick();
  void say(const log_say& m);
  void control(const log_control& m);

  void look();
  void follow(const log_source& s);
  void end(const std::string& container);
  void take(const log_bytes& b);
  void add(const log_source& s, const log_lines::line& line);
  void add_record(
    std::int64_t time_ms,
    std::string_view message,
    std::int64_t service,
    bool error,
    bool system);
  void store();
  void close_all();

  struct followed {
    log_source source;
    log_lines lines;
    bool open = false;
  };

  caf::stateful_actor<log_collector_state>* self = nullptr;
  log_output_port* output = nullptr;
  log_queue_port* queue = nullptr;
  log_collector_links links;
  bool on = true;
  std::int64_t not_before_ns = 0;  ///< what was printed while logs were off is nobody's business
  log_positions positions;
  std::map<std::string, followed> containers;
  std::string records;
  milliseconds look_due{0};
  unsigned failures = 0;
};

caf::behavior log_collector(
  caf::stateful_actor<log_collector_state>* self,
  log_output_port* output,
  log_queue_port* queue,
  log_collector_links links);

}  // namespace slipway::agent
