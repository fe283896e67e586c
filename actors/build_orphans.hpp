#pragma once

#include "actors/build_rows.hpp"
#include "actors/entity_asker.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

namespace slipway::actors {

/// Ends builds that nobody works on: those of an earlier start, those whose actor failed, and those whose command was carried out after
/// it had been given up. What cannot be told to the log now is tried again. A part of the actor that gives out workers.
class build_orphans {
public:
  /// `lives`: whether a build has an actor. Looks at the rows every `orphans_every` from now on, and ends what it finds twice.
  void begin(
    caf::event_based_actor* self,
    std::shared_ptr<const build_world> world,
    entity_asker* entities,
    std::function<bool(std::int64_t build)> lives);
  /// All that are not over.
  void recover(const std::string& reason);
  /// This one.
  void end(std::int64_t build, const std::string& reason);
  /// It has an actor after all.
  void forget(std::int64_t build) { why_.erase(build); }

private:
  void look();
  void tell(const build_facts& b, const messages::advance_build& step);

  caf::event_based_actor* self_ = nullptr;
  std::shared_ptr<const build_world> w_;
  entity_asker* entities_ = nullptr;
  std::function<bool(std::int64_t)> lives_;
  std::unordered_map<std::int64_t, std::string> why_;  ///< by build
};

}  // namespace slipway::actors
