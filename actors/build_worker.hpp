#pragma once

#include "actors/builder_parts.hpp"
#include "actors/worker_outbox.hpp"

#include <caf/response_promise.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace slipway::actors {

/// Builds that a worker holds at once, most of them waiting for a slot; further ones are given back.
constexpr std::size_t worker_builds_max = 64;
constexpr auto worker_tick = std::chrono::seconds{1};

struct worker_options {
  std::string name;
  std::vector<std::string> architectures;  ///< its own first
  std::uint32_t slots = 1;
  std::string engine;  ///< version
  /// A sealed envelope for the core. False: not connected, or the queue is full.
  std::function<bool(std::string)> send;
  /// The actors that do the work; they block, so they have threads of their own.
  std::function<build_job_actor(
    const build_worker_actor&,
    std::shared_ptr<const build_task>,
    std::shared_ptr<stop_switch>)>
    spawn_job;
  std::function<service_builder_actor(
    const build_worker_actor&,
    std::shared_ptr<const build_task>,
    std::size_t index,
    std::shared_ptr<stop_switch>)>
    spawn_service;
};

struct build_worker_state {
  static inline const char* name = "build_worker";
  build_worker_state() = default;
  ~build_worker_state();

  void up();
  void down();
  void word(const messages::envelope& e);
  void tick();
  caf::result<bool> halt();
  void ready(const job_ready& r);
  void closed(std::uint64_t serial);
  void want(const source_wanted& w);
  void want(const token_wanted& w);
  void said(const service_said& s);
  void moved(const service_moved& m);
  void died(const caf::down_msg& m);

  build_worker_actor::stateful_pointer<build_worker_state> self = nullptr;
  std::shared_ptr<const builder_parts> parts;
  worker_options options;
  worker_outbox outbox;

private:
  struct live_service {
    enum class phase { waiting, running, over } at = phase::waiting;
    service_builder_actor actor;
    std::shared_ptr<stop_switch> stop;
    bool wants_token = false;
    std::int64_t token_wanted_at = 0;  ///< steady ms
  };
  struct live_build {
    std::shared_ptr<const build_task> task;
    build_job_actor job;
    std::shared_ptr<stop_switch> stop;
    std::vector<live_service> services;
    bool ready = false;
    bool ending = false;   ///< nothing new begins
    bool closing = false;  ///< its job clears up
    bool jobless = false;  ///< its job died
    bool told = false;     ///< the core knows its outcome, or will
    bool silent = false;   ///< the core has it no more: no word of it
    messages::build_ended outcome;
    std::vector<messages::service_changed> built;  ///< the successes, with their digests
    std::int64_t deadline = 0;                     ///< steady ms, 0 = none
    std::int64_t output_bytes = 0;
    std::string last_line_of;  ///< service
  };
  struct last_word {
    std::vector<messages::service_changed> built;
    messages::build_ended ended;
    std::int64_t at = 0;
  };

  [[nodiscard]] messages::worker_joined joined() const;
  void ask_token(live_build& b, std::size_t service);
  [[nodiscard]] std::int64_t deadline_of(const messages::run_build& order) const;
  void take(const messages::run_build& order);
  void cancel(const messages::cancel_build& c);
  void part(messages::source_part p);
  void token(const messages::push_token& t);
  live_build* find(std::uint64_t serial);
  live_build* find_build(std::int64_t build);
  void end_build(live_build& b, std::string error, bool cancelled, bool may_retry);
  void give_up(live_build& b);
  void stop_all(live_build& b);
  void skip_waiting(live_build& b);
  void service_over(live_build& b, std::size_t index);
  void close_when_idle(live_build& b);
  void tell_outcome(live_build& b);
  [[nodiscard]] bool must_wait(const live_build& b) const;
  void schedule();
  void start(live_build& b, std::size_t index);
  void finish_halt();
  std::shared_ptr<stop_switch> new_switch() const;
  std::vector<std::int64_t> build_ids() const;

  template <class T>
  void tell(const T& x, bool may_drop = false) {
    outbox.put(messages::seal(x, ++sent_, parts->now_ms()), may_drop);
  }

  std::map<std::uint64_t, live_build> live_;  ///< by serial: in the order they came
  std::map<caf::actor_addr, std::pair<std::uint64_t, std::string>> names_;  ///< service, "" = job
  std::vector<last_word> last_words_;
  std::uint64_t serials_ = 0;
  std::uint64_t sent_ = 0;
  std::uint32_t running_ = 0;
  bool halting_ = false;
  std::int64_t down_since_ = 0;
  std::int64_t beat_at_ = 0;
  std::vector<caf::typed_response_promise<bool>> halted_;
};

/// Fills in `spawn_job` and `spawn_service` with detached actors.
void use_detached_builders(
  caf::actor_system& system,
  std::shared_ptr<const builder_parts> parts,
  worker_options& options);

build_worker_actor::behavior_type build_worker(
  build_worker_actor::stateful_pointer<build_worker_state> self,
  std::shared_ptr<const builder_parts> parts,
  worker_options options);

}  // namespace slipway::actors
