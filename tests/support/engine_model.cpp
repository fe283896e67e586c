#include "tests/support/engine_model.hpp"

#include <algorithm>
#include <stdexcept>

namespace slipway::tests {

using domain::container_status;
using domain::step_kind;

domain::current_container* engine_model::find(const std::string& id) {
  const auto it =
    std::find_if(state.containers.begin(), state.containers.end(), [&](const auto& c) {
      return c.id == id;
    });
  return it == state.containers.end() ? nullptr : &*it;
}

domain::current_container* engine_model::service(const std::string& name) {
  const auto it =
    std::find_if(state.containers.begin(), state.containers.end(), [&](const auto& c) {
      return c.service == name;
    });
  return it == state.containers.end() ? nullptr : &*it;
}

std::size_t engine_model::count(const std::string& entry) const {
  return static_cast<std::size_t>(std::count(log.begin(), log.end(), entry));
}

void engine_model::reboot() {
  for (auto& c : state.containers) {
    if (c.status == container_status::exited) {
      c.status = container_status::running;
    }
  }
}

bool engine_model::create(const domain::step& s, const domain::desired_state& desired) {
  const auto& service = desired.apps.at(s.app).services.at(s.service);
  if (!state.images.contains(service.image_key)) {
    return false;
  }
  domain::current_container c;
  c.id = "c" + std::to_string(++last_id_);
  c.name = service.container_name;
  c.created = last_id_;
  c.app_uuid = s.app;
  c.app_id = desired.apps.at(s.app).id;
  c.service = s.service;
  c.config_hash = service.config_hash;
  for (const auto& n : service.networks) {
    const bool there =
      std::any_of(state.networks.begin(), state.networks.end(), [&](const auto& x) {
        return x.engine_name == n.network;
      });
    if (!there) {
      return false;
    }
    c.networks.insert(n.network);
  }
  if (!service.shares_network_of.empty()) {
    const auto it =
      std::find_if(state.containers.begin(), state.containers.end(), [&](const auto& x) {
        return x.app_uuid == s.app && x.service == service.shares_network_of;
      });
    if (it == state.containers.end()) {
      return false;
    }
    c.shares_network_of = it->id;
  }
  state.containers.push_back(c);
  return true;
}

bool engine_model::apply(const domain::step& s, const domain::desired_state& desired) {
  log.push_back(
    std::string(name(s.kind)) + (s.service.empty() ? "" : " " + s.service)
    + (s.kind == step_kind::release_image ? " " + s.key : ""));
  switch (s.kind) {
    case step_kind::fetch:
      return state.images.insert(s.key).second;
    case step_kind::stop:
      if (auto* c = find(s.id)) {
        c->status = container_status::exited;
      }
      return true;
    case step_kind::remove:
      std::erase_if(state.containers, [&](const auto& c) { return c.id == s.id; });
      return true;
    case step_kind::create_network: {
      const auto& n = desired.apps.at(s.app).networks.at(s.service);
      state.networks.push_back(
        {"n" + std::to_string(++last_id_), n.engine_name, s.app, n.name, n.config_hash});
      return true;
    }
    case step_kind::remove_network: {
      const auto it =
        std::find_if(state.networks.begin(), state.networks.end(), [&](const auto& n) {
          return n.id == s.id;
        });
      const bool used =
        it != state.networks.end()
        && std::any_of(state.containers.begin(), state.containers.end(), [&](const auto& c) {
             return c.networks.contains(it->engine_name);
           });
      if (used) {
        return false;
      }
      state.networks.erase(it);
      return true;
    }
    case step_kind::create_volume: {
      const auto& v = desired.apps.at(s.app).volumes.at(s.service);
      state.volumes.push_back({v.engine_name, v.engine_name, s.app, v.name, v.config_hash});
      return true;
    }
    case step_kind::create:
      return create(s, desired);
    case step_kind::start:
      find(s.id)->status = container_status::running;
      return true;
    case step_kind::rename:
      find(s.id)->name = desired.apps.at(s.app).services.at(s.service).container_name;
      return true;
    case step_kind::release_image:
      state.images.erase(s.key);
      return true;
    case step_kind::remove_volume:
      // As the real one: a container that is there, running or not, holds its volumes.
      if (std::any_of(state.containers.begin(), state.containers.end(), [&](const auto& c) {
            return c.app_uuid == s.app;
          })) {
        return false;
      }
      std::erase_if(state.volumes, [&](const auto& v) { return v.id == s.id; });
      return true;
    case step_kind::restart:
      find(s.id)->status = container_status::running;
      return true;
    case step_kind::wait:
      std::erase_if(state.containers, [](const auto& c) {
        return c.status == container_status::removing;
      });
      return true;
  }
  return false;
}

int converge(
  engine_model& engine,
  const domain::desired_state& desired,
  domain::plan_memory& memory) {
  for (int round = 0; round < 200; ++round) {
    const auto plan = make_plan(engine.state, desired, memory);
    if (plan.steps.empty()) {
      return round;
    }
    for (const auto& s : plan.steps) {
      if (!engine.apply(s, desired)) {
        throw std::runtime_error(
          "the engine would refuse: " + std::string(name(s.kind)) + " " + s.service);
      }
      if (s.kind == step_kind::release_image) {
        memory.images_pulled.erase(s.key);
      }
      if (s.kind == step_kind::fetch) {
        memory.images_pulled.insert(s.key);
      }
      if (s.kind == step_kind::stop) {
        memory.stopped_by_us.insert(s.id);
      }
      if (s.kind == step_kind::start) {
        memory.stopped_by_us.erase(s.id);
      }
    }
  }
  throw std::runtime_error("no end after 200 rounds");
}

}  // namespace slipway::tests
