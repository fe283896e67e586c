#pragma once

#include "messages/build_bus.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace slipway::actors {

/// Which worker has which build, and which builds wait. Pure: times come from outside, in ms.
class build_workers {
public:
  /// A worker joined, anew or again. Answers the builds that it had and does not know of any more.
  [[nodiscard]] std::vector<std::int64_t>
  join(const std::string& name, const messages::worker_joined& word, std::int64_t now);
  void heard(const std::string& name, std::int64_t now);
  /// Its connection ended; it may come back for a while.
  void down(const std::string& name, std::int64_t now);
  /// Workers that were silent or away too long, with the builds they lost. They are forgotten.
  [[nodiscard]] std::vector<std::pair<std::string, std::vector<std::int64_t>>> expire(
    std::int64_t now);

  /// In the order of asking.
  void wait(std::int64_t build, std::string architecture, std::int64_t now);
  /// It waits no more, and has no worker any more.
  void leave(std::int64_t build);
  /// Gives waiting builds to workers that have room, the idlest first.
  [[nodiscard]] std::vector<std::pair<std::int64_t, std::string>> assign();
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
  };
  struct waiter {
    std::int64_t build = 0;
    std::string architecture;
    std::int64_t since = 0;
  };
  [[nodiscard]] std::map<std::string, worker>::iterator idlest_for(const std::string& architecture);

  std::map<std::string, worker> workers_;
  std::deque<waiter> queue_;
};

}  // namespace slipway::actors
