#pragma once

#include "messages/build_bus.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace slipway::actors {

/// Which worker has which build, and which builds wait. Pure: times come from outside, in ms of a clock that is never set.
class build_workers {
public:
  /// A worker joined, anew or again. Answers the builds that it had and does not know of any more.
  [[nodiscard]] std::vector<std::int64_t>
  join(const std::string& name, const messages::worker_joined& word, std::int64_t now);
  void heard(const std::string& name, std::int64_t now);
  /// A worker names the builds that it works on.
  struct difference {
    std::vector<std::int64_t>
      missing;  ///< it should have them; some it may not have been told of yet
    std::vector<std::int64_t> foreign;  ///< they are not its own
  };
  [[nodiscard]] difference compare(const std::string& name, const std::vector<std::int64_t>& builds)
    const;
  /// Nothing could be sent to it: it gets nothing until it is heard.
  void mute(const std::string& name);
  /// Its connection ended; it may come back for a while.
  void down(const std::string& name, std::int64_t now);
  /// Workers that were silent or away too long, with the builds they lost. Those away are forgotten; those that are only silent
  /// get nothing until they are heard again, since their connection still lives.
  [[nodiscard]] std::vector<std::pair<std::string, std::vector<std::int64_t>>> expire(
    std::int64_t now);

  /// In the order of asking. `avoid` is the worker that had it before: taken only where no other that is here builds for the
  /// architecture.
  void wait(std::int64_t build, std::string architecture, std::int64_t now, std::string avoid = "");
  /// It waits no more, and has no worker any more.
  void leave(std::int64_t build);
  /// It failed a build by a fault of its own: others are preferred for a while.
  void rest(const std::string& name, std::int64_t now);
  /// Gives waiting builds to workers that have room, the idlest first.
  [[nodiscard]] std::vector<std::pair<std::int64_t, std::string>> assign(std::int64_t now);
  /// Builds that wait longer than `build_queue_ms_max`; they stay until `leave`.
  [[nodiscard]] std::vector<std::int64_t> waited_too_long(std::int64_t now) const;

  /// "" = nobody.
  [[nodiscard]] std::string worker_of(std::int64_t build) const;
  [[nodiscard]] bool any_for(const std::string& architecture) const;
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

private:
  struct worker {
    std::vector<std::string> architectures;
    std::size_t slots = 1;
    std::vector<std::int64_t> builds;
    std::int64_t heard = 0;
    std::int64_t down_since = 0;  ///< 0 = connected
    bool silent = false;
    std::int64_t rests_until = 0;
  };
  struct waiter {
    std::int64_t build = 0;
    std::string architecture;
    std::int64_t since = 0;
    std::string avoid;
  };
  [[nodiscard]] std::map<std::string, worker>::iterator best_for(
    const waiter& build,
    std::int64_t now);

  std::map<std::string, worker> workers_;
  std::deque<waiter> queue_;
};

}  // namespace slipway::actors
