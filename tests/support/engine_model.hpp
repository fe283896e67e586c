#pragma once

#include "domain/planner.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace slipway::tests {

/// An engine in memory: does what steps say as dockerd would, and counts what tests ask about.
class engine_model {
public:
  domain::current_state state;
  std::vector<std::string> log;  ///< `create web`, `start web`, ...

  /// False when a real engine would refuse.
  bool apply(const domain::step& s, const domain::desired_state& desired);
  domain::current_container* find(const std::string& id);
  domain::current_container* service(const std::string& name);
  [[nodiscard]] std::size_t count(const std::string& entry) const;
  void reboot();  ///< containers that ran come up again, as their restart policy says

private:
  bool create(const domain::step& s, const domain::desired_state& desired);
  int last_id_ = 0;
};

/// Plans and applies until nothing is left; fails the test after 200 rounds. Returns the rounds.
int converge(
  engine_model& engine,
  const domain::desired_state& desired,
  domain::plan_memory& memory);

}  // namespace slipway::tests
