#include "actors/build_workers.hpp"

#include "actors/build_world.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

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
  w.silent = false;
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
    at->second.silent = false;
  }
}

build_workers::difference build_workers::compare(
  const std::string& name,
  const std::vector<std::int64_t>& builds) const {
  difference out;
  const auto at = workers_.find(name);
  const auto own = at == workers_.end() ? std::vector<std::int64_t>{} : at->second.builds;
  std::copy_if(own.begin(), own.end(), std::back_inserter(out.missing), [&](std::int64_t build) {
    return !contains(builds, build);
  });
  std::copy_if(
    builds.begin(),
    builds.end(),
    std::back_inserter(out.foreign),
    [&](std::int64_t build) { return !contains(own, build); });
  return out;
}

void build_workers::mute(const std::string& name) {
  const auto at = workers_.find(name);
  if (at != workers_.end()) {
    at->second.silent = true;
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
    auto& w = it->second;
    const bool silent = now - w.heard > messages::worker_lease_ms;
    if (w.down_since != 0 && (silent || now - w.down_since > worker_away_ms_max)) {
      out.emplace_back(it->first, std::move(w.builds));
      it = workers_.erase(it);
      continue;
    }
    if (silent && (!w.silent || !w.builds.empty())) {
      w.silent = true;
      out.emplace_back(it->first, std::exchange(w.builds, {}));
    }
    ++it;
  }
  return out;
}

void build_workers::wait(
  std::int64_t build,
  std::string architecture,
  std::int64_t now,
  std::string avoid) {
  leave(build);
  queue_.push_back({build, std::move(architecture), now, std::move(avoid)});
}

void build_workers::rest(const std::string& name, std::int64_t now) {
  const auto at = workers_.find(name);
  if (at != workers_.end()) {
    at->second.rests_until = now + worker_rest_ms;
  }
}

void build_workers::leave(std::int64_t build) {
  std::erase_if(queue_, [build](const waiter& w) { return w.build == build; });
  for (auto& [name, w] : workers_) {
    std::erase(w.builds, build);
  }
}

/// The idlest that has room. A worker that failed gets builds only where nobody else is here who could take them, soon or now.
std::map<std::string, build_workers::worker>::iterator build_workers::best_for(
  const waiter& build,
  std::int64_t now) {
  auto best = workers_.end();
  auto second_best = workers_.end();
  bool others = false;
  for (auto it = workers_.begin(); it != workers_.end(); ++it) {
    const auto& w = it->second;
    if (w.down_since != 0 || w.silent || !contains(w.architectures, build.architecture)) {
      continue;
    }
    const bool failed = it->first == build.avoid || now < w.rests_until;
    others = others || !failed;
    auto& place = failed ? second_best : best;
    const bool idler = place == workers_.end() || w.builds.size() < place->second.builds.size();
    if (w.builds.size() < w.slots && idler) {
      place = it;
    }
  }
  return others ? best : second_best;
}

std::vector<std::pair<std::int64_t, std::string>> build_workers::assign(std::int64_t now) {
  std::vector<std::pair<std::int64_t, std::string>> out;
  for (auto it = queue_.begin(); it != queue_.end();) {
    const auto to = best_for(*it, now);
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
