#include "domain/planner.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace slipway::domain {
namespace {

using containers = std::vector<const current_container*>;

bool has_run(const current_container& c) {
  return c.status != container_status::created;
}

bool is_up(const current_container& c) {
  return c.status == container_status::running || c.status == container_status::paused
         || c.status == container_status::restarting;
}

step remove_step(const current_container& c) {
  return {step_kind::remove, c.app_uuid, c.service, c.id, "", ""};
}

step service_step(
  step_kind kind,
  const desired_app& app,
  const desired_service& s,
  std::string id = "") {
  return {kind, app.uuid, s.service, std::move(id), s.image, s.image_key};
}

step object_step(
  step_kind kind,
  const std::string& app,
  const std::string& name,
  std::string id = "") {
  return {kind, app, name, std::move(id), "", ""};
}

class planner {
public:
  planner(const current_state& c, const desired_state& d, const plan_memory& m)
    : current_(c), desired_(d), memory_(m) {}

  plan make();

private:
  void clean_up_wrecks();
  void plan_app(const desired_app& app);
  void purge(const desired_app& app);
  bool restart_asked(const desired_app& app);
  bool fetch_missing(const desired_app& app);
  bool remove_replaced(const desired_app& app);
  bool make_objects(const desired_app& app);
  void run_services(const desired_app& app);
  void run_service(const desired_app& app, const desired_service& s);
  void leave_apps();
  void release_images();

  [[nodiscard]] const current_container* keeper(const desired_app& app, const desired_service& s)
    const;
  [[nodiscard]] bool has_started(const desired_app& app, const std::string& service) const;
  [[nodiscard]] bool stale(const desired_app& app, const current_object& network) const;
  void add(step s) { plan_.steps.push_back(std::move(s)); }

  const current_state& current_;
  const desired_state& desired_;
  const plan_memory& memory_;
  plan plan_;
  std::set<std::string> wrecks_;  ///< ids of containers that are dead or on their way out
  std::set<std::pair<std::string, std::string>> wrecked_services_;
};

/// Dead containers go before anything else; those being removed are only waited for.
void planner::clean_up_wrecks() {
  for (const auto& c : current_.containers) {
    if (c.status == container_status::dead) {
      add(remove_step(c));
      wrecks_.insert(c.id);
      wrecked_services_.insert({c.app_uuid, c.service});
    } else if (c.status == container_status::removing) {
      add({step_kind::wait, c.app_uuid, c.service, c.id, "", ""});
      wrecks_.insert(c.id);
      wrecked_services_.insert({c.app_uuid, c.service});
    }
  }
}

/// The container that may stay as service `s`: made from the same configuration; of several, one that has run, then the
/// newest.
const current_container* planner::keeper(const desired_app& app, const desired_service& s) const {
  const current_container* best = nullptr;
  for (const auto& c : current_.containers) {
    if (
      c.app_uuid != app.uuid || c.service != s.service || c.config_hash != s.config_hash
      || wrecks_.contains(c.id)) {
      continue;
    }
    const auto rank = [](const current_container& x) {
      return std::make_tuple(has_run(x), x.created, x.id);
    };
    if (best == nullptr || rank(*best) < rank(c)) {
      best = &c;
    }
  }
  if (best == nullptr || s.shares_network_of.empty()) {
    return best;
  }
  // It lives in the network of one particular container: a new one there means a new one here.
  const auto provider = app.services.find(s.shares_network_of);
  const auto* host = provider == app.services.end() ? nullptr : keeper(app, provider->second);
  const bool same = host != nullptr && best->shares_network_of == host->id;
  return same ? best : nullptr;
}

/// True when nothing of the release may start yet.
bool planner::fetch_missing(const desired_app& app) {
  bool missing = false;
  std::set<std::string> asked;
  for (const auto& [name, s] : app.services) {
    if (current_.images.contains(s.image_key)) {
      continue;
    }
    missing = true;
    if (memory_.fetching.contains(s.image_key) || memory_.fetch_delayed.contains(s.image_key)) {
      plan_.waiting = true;
    } else if (asked.insert(s.image_key).second) {
      add(service_step(step_kind::fetch, app, s));
    }
  }
  return missing;
}

bool planner::stale(const desired_app& app, const current_object& network) const {
  const auto it = app.networks.find(network.name);
  return it == app.networks.end() || it->second.config_hash != network.config_hash
         || it->second.engine_name != network.engine_name;
}

/// All that is replaced or not wanted any more stops together, before anything new starts.
bool planner::remove_replaced(const desired_app& app) {
  std::set<std::string> stale_networks;
  for (const auto& n : current_.networks) {
    if (n.app_uuid == app.uuid && stale(app, n)) {
      stale_networks.insert(n.engine_name);
    }
  }
  bool removed = false;
  for (const auto& c : current_.containers) {
    if (c.app_uuid != app.uuid || wrecks_.contains(c.id)) {
      continue;
    }
    const auto it = app.services.find(c.service);
    const bool keep = it != app.services.end() && keeper(app, it->second) == &c
                      && std::none_of(c.networks.begin(), c.networks.end(), [&](const auto& n) {
                           return stale_networks.contains(n);
                         });
    if (!keep) {
      add(remove_step(c));
      removed = true;
    }
  }
  for (const auto& n : current_.networks) {
    // Only when its containers are gone: else the engine refuses.
    if (!removed && stale_networks.contains(n.engine_name)) {
      add(object_step(step_kind::remove_network, app.uuid, n.name, n.id));
    }
  }
  return removed || !stale_networks.empty();
}

bool planner::make_objects(const desired_app& app) {
  bool made = false;
  const auto missing = [](const desired_object& wanted, const std::vector<current_object>& there) {
    return std::none_of(there.begin(), there.end(), [&](const auto& x) {
      return x.engine_name == wanted.engine_name;
    });
  };
  for (const auto& [name, network] : app.networks) {
    if (missing(network, current_.networks)) {
      add(object_step(step_kind::create_network, app.uuid, name));
      made = true;
    }
  }
  for (const auto& [name, volume] : app.volumes) {
    // A volume that is there stays as it is, even if its definition changed: remaking it would lose its data.
    if (missing(volume, current_.volumes)) {
      add(object_step(step_kind::create_volume, app.uuid, name));
      made = true;
    }
  }
  return made;
}

bool planner::has_started(const desired_app& app, const std::string& service) const {
  const auto it = app.services.find(service);
  if (it == app.services.end()) {
    return true;  // left out by the platform
  }
  const auto* c = keeper(app, it->second);
  return c != nullptr && (has_run(*c) || !it->second.running);
}

void planner::run_service(const desired_app& app, const desired_service& s) {
  const bool ready = std::all_of(s.after.begin(), s.after.end(), [&](const auto& on) {
    return has_started(app, on);
  });
  const auto* c = keeper(app, s);
  if (c == nullptr) {
    // A wreck still has the name.
    if (ready && !wrecked_services_.contains({app.uuid, s.service})) {
      add(service_step(step_kind::create, app, s));
    }
    return;
  }
  if (c->name != s.container_name) {
    add({step_kind::rename, app.uuid, s.service, c->id, s.image, s.image_key});
  }
  if (!s.running) {
    if (is_up(*c)) {
      add(service_step(step_kind::stop, app, s, c->id));
    }
    return;
  }
  // Started once; after that restarts are the engine's business, unless it was the target that stopped it.
  const bool ours_to_start =
    !has_run(*c)
    || (c->status == container_status::exited && memory_.stopped_by_us.contains(c->id));
  if (ours_to_start && ready) {
    add(service_step(step_kind::start, app, s, c->id));
  }
}

void planner::run_services(const desired_app& app) {
  for (const auto& [name, s] : app.services) {
    run_service(app, s);
  }
}

/// Containers first, since they hold the volumes. What is made anew comes only after the purge was noted as over: a volume
/// that already holds new data can never be removed by it.
void planner::purge(const desired_app& app) {
  bool left = false;
  for (const auto& c : current_.containers) {
    if (c.app_uuid == app.uuid) {
      left = true;
      if (!wrecks_.contains(c.id)) {
        add(remove_step(c));
      }
    }
  }
  if (left) {
    return;
  }
  for (const auto& v : current_.volumes) {
    if (v.app_uuid == app.uuid) {
      left = true;
      add(object_step(step_kind::remove_volume, app.uuid, v.name, v.id));
    }
  }
  if (!left) {
    plan_.purged.insert(app.uuid);
  }
}

/// A container that can be made again right away is, so that it begins afresh; another one, of a release that is being
/// replaced, is stopped and started as it is.
bool planner::restart_asked(const desired_app& app) {
  const bool all_images = std::all_of(app.services.begin(), app.services.end(), [&](const auto& s) {
    return current_.images.contains(s.second.image_key);
  });
  bool asked = false;
  for (const auto& c : current_.containers) {
    if (c.app_uuid != app.uuid || wrecks_.contains(c.id) || !memory_.restart.contains(c.id)) {
      continue;
    }
    const auto it = app.services.find(c.service);
    const bool again = all_images && it != app.services.end()
                       && it->second.config_hash == c.config_hash && it->second.running;
    add(again ? remove_step(c) : step{step_kind::restart, app.uuid, c.service, c.id, "", ""});
    asked = true;
  }
  return asked;
}

void planner::plan_app(const desired_app& app) {
  if (memory_.purge.contains(app.uuid)) {
    purge(app);
    return;
  }
  if (restart_asked(app)) {
    return;
  }
  if (fetch_missing(app) || remove_replaced(app) || make_objects(app)) {
    return;
  }
  run_services(app);
}

/// Apps that the target does not name. Their volumes stay until somebody names them for removal.
void planner::leave_apps() {
  if (desired_.apps.empty()) {
    plan_.empty_target_held = !current_.containers.empty();
    return;
  }
  std::set<std::string> in_use;
  for (const auto& c : current_.containers) {
    if (!desired_.apps.contains(c.app_uuid)) {
      if (!wrecks_.contains(c.id)) {
        add(remove_step(c));
      }
      in_use.insert(c.app_uuid);
    }
  }
  for (const auto& n : current_.networks) {
    if (!desired_.apps.contains(n.app_uuid) && !in_use.contains(n.app_uuid)) {
      add(object_step(step_kind::remove_network, n.app_uuid, n.name, n.id));
    }
  }
}

/// Last of all, once nothing else is left to do: an image that no longer serves may still be what a rollback needs.
void planner::release_images() {
  if (
    !plan_.steps.empty() || plan_.waiting || !memory_.purge.empty() || !memory_.fetching.empty()
    || plan_.empty_target_held) {
    return;
  }
  std::set<std::string> needed;
  for (const auto& [uuid, app] : desired_.apps) {
    for (const auto& [name, s] : app.services) {
      needed.insert(s.image_key);
    }
  }
  auto held = current_.images;
  held.insert(memory_.images_pulled.begin(), memory_.images_pulled.end());
  for (const auto& key : held) {
    if (!needed.contains(key)) {
      add({step_kind::release_image, "", "", "", "", key});
    }
  }
}

plan planner::make() {
  clean_up_wrecks();
  for (const auto& [uuid, app] : desired_.apps) {
    plan_app(app);
  }
  leave_apps();
  release_images();
  return std::move(plan_);
}

}  // namespace

std::string_view name(step_kind kind) {
  switch (kind) {
    case step_kind::fetch:
      return "fetch";
    case step_kind::stop:
      return "stop";
    case step_kind::remove:
      return "remove";
    case step_kind::create_network:
      return "create_network";
    case step_kind::remove_network:
      return "remove_network";
    case step_kind::create_volume:
      return "create_volume";
    case step_kind::create:
      return "create";
    case step_kind::start:
      return "start";
    case step_kind::rename:
      return "rename";
    case step_kind::release_image:
      return "release_image";
    case step_kind::remove_volume:
      return "remove_volume";
    case step_kind::restart:
      return "restart";
    case step_kind::wait:
      return "wait";
  }
  return "";
}

plan make_plan(
  const current_state& current,
  const desired_state& desired,
  const plan_memory& memory) {
  return planner(current, desired, memory).make();
}

}  // namespace slipway::domain
