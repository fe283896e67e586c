#pragma once

#include "agent/backoff.hpp"
#include "agent/ports.hpp"
#include "agent/state_store.hpp"
#include "domain/supervisor_api.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace slipway::agent {

/// An action that somebody asked for and waits for.
struct asked_action {
  domain::api_action action;
  /// Called once, on the applier's thread: forward the outcome. The text is a container id where there is one.
  std::function<void(const messages::result<std::string>&)> tell;
  milliseconds deadline{0};  ///< monotonic: not begun later, since nobody would learn of it
};

/// The actions of people on containers and volumes, one at a time, in their order. It decides what has to be done; the
/// applier does it. A purge is noted on disk before its first step, so that a crash in the middle ends in emptied volumes and
/// not in a half emptied set; all else that a crash interrupts is simply over.
class user_actions {
public:
  static constexpr std::size_t waiting_max = 8;  ///< then: `unavailable`

  user_actions(state_store& store, update_locks& locks, std::function<milliseconds()> now);

  void add(asked_action a);
  [[nodiscard]] bool busy() const { return !queue_.empty(); }

  /// What is to be done alone in this round, before the plan. Begins the next action, or ends the one whose services are up again.
  [[nodiscard]] std::vector<domain::step> look(
    const domain::current_state& current,
    const domain::desired_state& desired);
  /// What the planner must know.
  void remind(domain::plan_memory& memory) const;
  /// Apps without container and volume now. False: that could not be stored, so nothing may be made anew yet.
  [[nodiscard]] bool purged(const std::set<std::string>& apps);
  /// Steps were carried out; `failed_at` names the one that was not.
  void done(
    const std::vector<domain::step>& steps,
    const std::string& why,
    std::size_t failed_at,
    bool engine_down);

  // Update locks (supervisor.md 7): all services of an app or none. In the round of the last `look` only.
  [[nodiscard]] messages::result<void> lock(const std::string& app, bool force);
  /// Gives up the locks of apps that no step and no action needs.
  void unlock_all_but(const std::set<std::string>& apps);
  void unlock_all();

  /// The device is about to go down: nothing is begun any more.
  [[nodiscard]] bool halted() const { return halted_; }
  void resume();

  bool override_locks = false;  ///< by the platform's configuration

private:
  enum class phase { fresh, acting, settling };
  std::vector<domain::step> begin();
  std::vector<domain::step> begin_service(const domain::desired_app& app);
  std::vector<domain::step> begin_restart(const domain::desired_app& app);
  std::vector<domain::step> begin_purge(const domain::desired_app& app);
  void begin_host();
  [[nodiscard]] bool settled() const;
  [[nodiscard]] const domain::current_container* container_of(
    const std::string& app,
    const std::string& service) const;
  [[nodiscard]] std::set<std::string> services_of(const std::string& app) const;
  [[nodiscard]] std::int64_t id_of(const std::string& app) const;
  void finish(const messages::result<std::string>& outcome);

  state_store& store_;
  update_locks& locks_;
  std::function<milliseconds()> now_;
  std::deque<asked_action> queue_;
  phase phase_ = phase::fresh;
  std::set<std::string> restart_;               ///< container ids still to be restarted
  std::set<std::string> replaced_;              ///< container ids that must not count as up again
  std::set<std::string> awaited_;               ///< services of the action's app that must come up
  std::string affected_;                        ///< container id, for the answer
  std::set<std::string> purging_;               ///< app uuids, as on disk
  std::map<std::string, std::int64_t> locked_;  ///< app uuid -> id
  bool halted_ = false;
  // Of the round that `look` began; the applier keeps both until its plan is made.
  const domain::current_state* current_ = nullptr;
  const domain::desired_state* desired_ = nullptr;
};

}  // namespace slipway::agent
