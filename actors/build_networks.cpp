#include "actors/build_networks.hpp"

#include "runtime/crypto.hpp"
#include "runtime/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace slipway::actors {

using messages::errc;
using messages::result;
using nlohmann::json;

namespace {

constexpr std::size_t bridge_hex = 10;  // names of network devices have 15 characters

/// Networks may be gone already, and containers with them.
result<void> gone(result<void> removed) {
  return !removed && removed.error().code == errc::not_found ? result<void>{} : removed;
}

result<void> remove_networks(builder_engine& engine, const std::vector<std::string>& names) {
  if (names.empty()) {
    return {};
  }
  const auto all = engine.containers();
  if (!all) {
    return tl::unexpected(all.error());
  }
  for (const auto& c : *all) {
    if (std::find(names.begin(), names.end(), c.network_mode) != names.end()) {
      if (auto removed = gone(engine.remove_container(c.id)); !removed) {
        return removed;
      }
    }
  }
  for (const auto& name : names) {
    if (auto removed = gone(engine.remove_network(name)); !removed) {
      return removed;
    }
  }
  return {};
}

}  // namespace

build_network build_networks::fresh() const {
  const auto tail = runtime::random_hex(bridge_hex);
  return {"slipway-build-" + id_ + "-" + tail, "swb" + tail, false};
}

build_network build_networks::reserve() {
  const std::lock_guard lock(mutex_);
  return ahead_ ? *std::exchange(ahead_, std::nullopt) : fresh();
}

result<void> build_networks::make(builder_engine& engine, const build_network& n) const {
  if (n.made_ahead) {
    // Whoever tidies the engine up may have taken it for a leftover.
    const auto standing = engine.networks(label());
    if (!standing) {
      return tl::unexpected(standing.error());
    }
    const bool stands = std::any_of(standing->begin(), standing->end(), [&](const auto& s) {
      return s.name == n.name;
    });
    if (stands) {
      return {};
    }
  }
  const auto made = engine.create_network(
    {{"Name", n.name},
     {"Driver", "bridge"},
     {"Labels", {{builder_label, id_}}},
     {"Options",
      {{"com.docker.network.bridge.name", n.bridge},
       {"com.docker.network.bridge.enable_icc", "false"}}}});
  return made || made.error().code == errc::conflict ? result<void>{}
                                                     : tl::unexpected(made.error());
}

result<void> build_networks::remove(builder_engine& engine, const build_network& n) {
  return remove_networks(engine, {n.name});
}

void build_networks::make_ahead(builder_engine& engine) {
  const std::lock_guard making(making_);
  const auto there = [this] {
    const std::lock_guard lock(mutex_);
    return ahead_.has_value();
  };
  if (closed_ || there()) {
    return;
  }
  auto next = fresh();
  if (const auto made = make(engine, next); !made) {
    runtime::log::warn("no network was made ahead", {{"why", made.error().detail}});
    return;
  }
  next.made_ahead = true;
  const std::lock_guard lock(mutex_);
  ahead_ = std::move(next);
}

result<void> build_networks::clear(builder_engine& engine, bool for_good) {
  const std::lock_guard making(making_);
  closed_ = for_good;
  {
    const std::lock_guard lock(mutex_);
    ahead_.reset();
  }
  const auto found = engine.networks(label());
  if (!found) {
    return tl::unexpected(found.error());
  }
  std::vector<std::string> names;
  for (const auto& n : *found) {
    names.push_back(n.name);
  }
  return remove_networks(engine, names);
}

}  // namespace slipway::actors
