#pragma once

#include "agent/backoff.hpp"
#include "agent/messages.hpp"
#include "agent/ports.hpp"
#include "agent/state_store.hpp"
#include "agent/user_actions.hpp"

#include <caf/actor.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace slipway::agent {

constexpr milliseconds apply_pause{200};  ///< between two rounds, when something came up meanwhile
constexpr milliseconds apply_wait{
  1'000};  ///< when the engine is busy, or did a step without effect
constexpr milliseconds apply_backoff_first{500};  ///< after a failure, doubling
constexpr milliseconds apply_backoff_max{900'000};
constexpr milliseconds apply_patrol{30'000};        ///< looks again although nothing was asked
constexpr std::size_t releases_remembered_max = 4;  ///< oldest forgotten first

struct applier_links {
  caf::actor reporter;
  caf::actor worker;        ///< an engine_worker
  caf::actor fetch_worker;  ///< a fetcher
  std::function<void()> cancel_fetch;
  std::function<milliseconds()> now;  ///< monotonic
  update_locks* locks = nullptr;
  /// Told the configuration variables of every target that takes effect; may be empty.
  std::function<void(const std::map<std::string, std::string>&)> configured = {};
};

/// Makes the engine what the target says: look, plan, do, look again, for ever. It is the only one who decides; all its
/// facts come from the engine, so that it can die at any point.
struct applier_state {
  static inline const char* name = "applier";

  void arrived(const target_arrived& m);
  void confirmed(const target_confirmed& m);
  void tick(const apply_tick& m);
  void taken(const snapshot_taken& m);
  void done(const steps_done& m);
  void progressed(const image_progress& m);
  void fetched(const image_fetched& m);
  void asked(const action_asked& m);
  void look_at(const view_wanted& m);
  void resume();

  void begin_round();
  void plan_from(const domain::current_state& current);
  void start_steps(std::vector<domain::step> steps);
  [[nodiscard]] std::vector<domain::step> without_locked(std::vector<domain::step> steps);
  void start_next_fetch();
  void queue_fetch(const domain::step& s);
  void failed(const std::string& why);
  void schedule(milliseconds pause);
  void mark_stopped(const domain::step& s);
  void remember_release();
  void note_converged();
  void record_pull(const fetch_image& f);
  void save_pulled();
  void save_progress(const state_store::progress& before);
  void report(const domain::current_state& current, bool converged);
  [[nodiscard]] domain::plan_memory memory();
  [[nodiscard]] milliseconds next_fetch_due() const;

  caf::stateful_actor<applier_state>* self = nullptr;
  state_store* store = nullptr;
  domain::device_context device;
  applier_links links;

  std::shared_ptr<const domain::desired_state> desired;  ///< null until a target is known
  std::shared_ptr<const domain::current_state> last;     ///< newest snapshot
  state_store::progress progress;
  std::optional<user_actions> actions;
  std::string locked;  ///< why an update waits, "" = it does not
  bool force = false;  ///< until the target is reached: by the request that asked for it
  std::map<std::string, std::string> pulled;  ///< image key -> reference this agent began to pull

  struct failure {
    unsigned count = 0;
    milliseconds due{0};
  };
  std::map<std::string, failure> fetch_failures;
  std::map<std::string, int> downloads;  ///< percent of pulls that are queued or run
  std::deque<fetch_image> fetch_queue;   ///< front is being pulled when `fetch_runs`
  bool fetch_runs = false;
  bool cancelled = false;  ///< the pull that runs was cancelled by us
  bool busy = false;       ///< a snapshot or steps are under way
  bool again = false;      ///< something happened meanwhile
  bool was_converged = false;
  bool last_converged = false;
  unsigned failures = 0;
  std::uint64_t round = 0;
  std::vector<domain::step> in_hand;
  std::vector<domain::step> done_last;
};

caf::behavior applier(
  caf::stateful_actor<applier_state>* self,
  state_store* store,
  domain::device_context device,
  applier_links links);

}  // namespace slipway::agent
