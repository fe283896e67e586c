#pragma once

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>

namespace slipway::tests {

/// Actors on one thread and a clock that moves only when told: no sleeping, no races.
class actor_world {
public:
  actor_world() : system_(configure()) {}
  ~actor_world() {
    run();
    scheduler().clock().cancel_all();
  }
  actor_world(const actor_world&) = delete;
  actor_world& operator=(const actor_world&) = delete;

  caf::actor_system& system() { return system_; }
  void run() { scheduler().run(); }
  void advance(std::chrono::milliseconds d) {
    run();
    for (auto step = std::chrono::milliseconds(100); d.count() > 0; d -= step) {
      step = std::min(step, d);
      scheduler().advance_time(step);
      now_ += step;
      run();
    }
  }
  std::chrono::milliseconds now() const { return now_; }

private:
  caf::actor_system_config& configure() {
    config_.set("scheduler.policy", caf::atom("testing"));
    return config_;
  }
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler());
  }
  caf::actor_system_config config_;
  caf::actor_system system_;
  std::chrono::milliseconds now_{1'000'000};
};

}  // namespace slipway::tests
