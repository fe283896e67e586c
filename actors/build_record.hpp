#pragma once

#include "actors/build_world.hpp"
#include "actors/entity_asker.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::actors {

/// What of a build is kept: its row, which moves step by step, and its log. A part of the build's actor.
class build_record {
public:
  /// Null: the step is in the log.
  using moved = std::function<void(const messages::error* refused)>;

  void
  begin(caf::event_based_actor* self, std::shared_ptr<const build_world> world, std::int64_t fleet);
  /// The command that makes the row. Once, before all else.
  void make(const messages::start_build& command, entity_asker::answer done);
  void made(std::int64_t build, std::int64_t release);

  /// Moves the row. Asked again while nobody knows whether it moved, for a minute.
  void advance(messages::advance_build step, moved done);
  /// Best effort; `done` only when it worked.
  void note(messages::service_progress service, std::function<void()> done);

  /// What cannot be written is logged, and lost.
  void log(std::vector<messages::output_line> lines);
  void say(std::string text) { log({{"", std::move(text), false, false}}); }
  /// Nothing follows.
  void close_log(std::string_view how);
  /// The end of the log, as text.
  [[nodiscard]] const std::string& log_tail() const { return log_tail_; }

  [[nodiscard]] std::int64_t build() const { return build_; }
  [[nodiscard]] std::int64_t release() const { return release_; }
  [[nodiscard]] entity_asker& entities() { return entities_; }

private:
  void try_advance(std::shared_ptr<const messages::advance_build> step, moved done, int tries);
  [[nodiscard]] messages::entity_ref fleet() const {
    return {messages::entity_kind::fleet, fleet_};
  }

  caf::event_based_actor* self_ = nullptr;
  std::shared_ptr<const build_world> w_;
  entity_asker entities_;
  std::int64_t fleet_ = 0;
  std::int64_t build_ = 0;
  std::int64_t release_ = 0;
  std::string log_tail_;
};

}  // namespace slipway::actors
