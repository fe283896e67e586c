#include "actors/build_workers.hpp"

#include "actors/build_world.hpp"

#include <algorithm>

namespace slipway::actors {
namespace {

constexpr std::size_t slots_max = 64;

bool contains(const auto& all, const auto& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

std::vector<std::int64_t> build_workers::join(
  const std::string& name,
  const messages::worker_joined& word,
  std::int64_t now) {
  auto& w = workers_[name];
  w.architectures = word.architectures;
  w.slots = std::clamp<std::size_t>(word.slots, 1, slots_max);
  w.heard = now;
  w.down_since = 0;
  std::vector<std::int64_t> lost;
  for (const auto build : w.builds) {
    if (!contains(word.builds, build)) {
      lost.push_back(build);
    }
  }
  std::erase_if(w.builds, [&](std::int64_t build) { return contains(lost, build); });
  return lost;
}

void build_workers::heard(const std::string& name, std::int64_t now) {
  const auto at = workers_.find(name);
  if (at != workers_.end()) {
    at->second.heard = now;
  }
}

void build_workers::down(const std::string& name, std::int64_t now) {
  const auto at = workers_.find(name);
  if (at != workers_.end() && at->second.down_since == 0) {
    at->second.down_since = now;
  }
}

std::vector<std::pair<std::string, std::vector<std::int64_t>>> build_workers::expire(
  std::int64_t now) {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> out;
  for (auto it = workers_.begin(); it != workers_.end();) {
    const auto& w = it->second;
    const bool silent = now - w.heard > messages::worker_lease_ms;
    const bool away = w.down_since != 0 && now - w.down_since > worker_away_ms_max;
    if (silent || away) {
      out.emplace_back(it->first, w.builds);
      it = workers_.erase(it);
    } else {
      ++it;
    }
  }
  return out;
}

void build_workers::wait(std::int64_t build, std::string architecture, std::int64_t now) {
  leave(build);
  queue_.push_back({build, std::move(architecture), now});
}

void build_workers::leave(std::int64_t build) {
  std::erase_if(queue_, [build](const waiter& w) { return w.build == build; });
  for (auto& [name, w] : workers_) {
    std::erase(w.builds, build);
  }
}

std::map<std::string, build_workers::worker>::iterator build_workers::idlest_for(
  const std::string& architecture) {
  auto best = workers_.end();
  for (auto it = workers_.begin(); it != workers_.end(); ++it) {
    const auto& w = it->second;
    const bool fits =
      w.down_since == 0 && w.builds.size() < w.slots && contains(w.architectures, architecture);
    if (fits && (best == workers_.end() || w.builds.size() < best->second.builds.size())) {
      best = it;
    }
  }
  return best;
}

std::vector<std::pair<std::int64_t, std::string>> build_workers::assign() {
  std::vector<std::pair<std::int64_t, std::string>> out;
  for (auto it = queue_.begin(); it != queue_.end();) {
    const auto to = idlest_for(it->architecture);
    if (to == workers_.end()) {
      ++it;
      continue;
    }
    to->second.builds.push_back(it->build);
    out.emplace_back(it->build, to->first);
    it = queue_.erase(it);
  }
  return out;
}

std::vector<std::int64_t> build_workers::waited_too_long(std::int64_t now) const {
  std::vector<std::int64_t> out;
  for (const auto& w : queue_) {
    if (now - w.since > build_queue_ms_max) {
      out.push_back(w.build);
    }
  }
  return out;
}

std::string build_workers::worker_of(std::int64_t build) const {
  for (const auto& [name, w] : workers_) {
    if (contains(w.builds, build)) {
      return name;
    }
  }
  return {};
}

bool build_workers::any_for(const std::string& architecture) const {
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& w) {
    return contains(w.second.architectures, architecture);
  });
}

}  // namespace slipway::actors
