#pragma once

#include "domain/desired_state.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace slipway::domain {

enum class container_status { created, running, paused, restarting, exited, removing, dead };

/// What one agent owns on its engine, as the engine told just now. Things of other devices and of people never get here.
struct current_container {
  std::string id;
  std::string name;
  container_status status = container_status::created;
  std::int64_t created = 0;  ///< any clock; only compared
  std::string app_uuid;
  std::int64_t app_id = 0;
  std::string service;
  std::string config_hash;
  std::set<std::string> networks;  ///< engine names
  std::string shares_network_of;   ///< container id, for `container:<id>`
};

struct current_object {
  std::string id;  ///< what the engine's calls take
  std::string engine_name;
  std::string app_uuid;
  std::string name;  ///< compose name
  std::string config_hash;
};

struct current_state {
  std::vector<current_container> containers;
  std::vector<current_object> networks;
  std::vector<current_object> volumes;
  std::set<std::string> images;  ///< keys that this agent holds a tag on
  /// References of images on the engine that no agent holds: people brought them, so releasing must not delete them.
  std::set<std::string> foreign_images;
};

enum class step_kind {
  fetch,           ///< image, key: pull and hold
  stop,            ///< id: because the target says not to run
  remove,          ///< id: stop if needed, then remove
  create_network,  ///< app, name
  remove_network,  ///< id
  create_volume,   ///< app, name
  create,          ///< app, service: make the container, not started
  start,           ///< app, service, id
  rename,          ///< id, name: only the release changed
  release_image,   ///< key: give up the hold on an image
  remove_volume,   ///< id, service: its compose name; only when a purge was asked for
  restart,         ///< id: stop and start the container as it is
  wait,            ///< the engine is busy with something of ours: look again
};

struct step {
  step_kind kind = step_kind::wait;
  std::string app;
  std::string service;  ///< or compose name of a network or volume
  std::string id;       ///< of a container or network
  std::string image;    ///< reference
  std::string key;      ///< of an image
  friend bool operator==(const step&, const step&) = default;
};

[[nodiscard]] std::string_view name(step_kind kind);

/// What the agent remembers and the engine cannot tell.
struct plan_memory {
  std::set<std::string> fetching;       ///< image keys being pulled now
  std::set<std::string> fetch_delayed;  ///< image keys that failed and are not due again
  std::set<std::string> stopped_by_us;  ///< container ids stopped because of `running: false`
  std::set<std::string> images_pulled;  ///< keys that this agent began to pull, held or not
  std::set<std::string> restart;        ///< container ids that people asked to restart
  std::set<std::string> purge;          ///< app uuids whose volumes people asked to empty
};

struct plan {
  /// To be done now, in this order; then look at the engine again and plan anew. Empty and not `waiting` = converged.
  std::vector<step> steps;
  bool waiting = false;  ///< for a pull that runs or is delayed
  /// The target named no app at all while containers are there. That is never meant, so nothing is removed.
  bool empty_target_held = false;
  /// Apps of `plan_memory::purge` that have neither container nor volume left: the purge is over once that is on disk.
  std::set<std::string> purged;
};

/// Pure: what to do next so that `current` becomes `desired`. Per app: fetch all images; then remove what is replaced; then
/// networks and volumes; then create and start in order. Volumes are removed only by a purge. docs/protocols/agent.md
[[nodiscard]] plan
make_plan(const current_state& current, const desired_state& desired, const plan_memory& memory);

}  // namespace slipway::domain
