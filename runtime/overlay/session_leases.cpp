#include "runtime/overlay/session_leases.hpp"

#include <algorithm>

namespace slipway::runtime {

void session_leases::assume(const std::vector<known_session>& sessions, std::int64_t deadline) {
  for (const auto& s : sessions) {
    sessions_[s.device] = {s.edge, s.epoch, deadline};
    epoch_max_ = std::max(epoch_max_, s.epoch);
  }
}

void session_leases::joined(std::int64_t edge, std::uint64_t epoch_start, std::int64_t deadline) {
  auto& e = edges_[edge];
  if (e.epoch_start != epoch_start) {
    for (auto& [device, s] : sessions_) {
      if (s.edge == edge && s.orphan_deadline == 0) {
        s.orphan_deadline = e.deadline;
      }
    }
  }
  e = {epoch_start, deadline};
  epoch_max_ = std::max(epoch_max_, epoch_start);
}

void session_leases::beat(std::int64_t edge, std::int64_t deadline) {
  const auto it = edges_.find(edge);
  if (it != edges_.end()) {
    it->second.deadline = std::max(it->second.deadline, deadline);
  }
}

void session_leases::presence(const messages::presence_batch& batch) {
  for (const auto& p : batch.entries) {
    epoch_max_ = std::max(epoch_max_, p.epoch);
    const auto it = sessions_.find(p.device);
    if (it != sessions_.end() && it->second.epoch > p.epoch) {
      continue;
    }
    if (p.online) {
      sessions_[p.device] = {batch.edge, p.epoch, 0};
    } else if (it != sessions_.end()) {
      sessions_.erase(it);
    }
  }
}

std::vector<session_leases::lapsed> session_leases::lapse(std::int64_t now) {
  std::vector<lapsed> out;
  std::erase_if(sessions_, [&](const auto& entry) {
    const auto& [device, s] = entry;
    const auto edge = edges_.find(s.edge);
    const auto held_until = edge == edges_.end() ? 0 : edge->second.deadline;
    const auto deadline = s.orphan_deadline != 0 ? s.orphan_deadline : held_until;
    if (now < deadline) {
      return false;
    }
    out.push_back({s.edge, device, s.epoch});
    return true;
  });
  return out;
}

}  // namespace slipway::runtime
