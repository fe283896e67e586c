#include "gateways/device/heartbeats.hpp"

#include "domain/numbers.hpp"
#include "domain/target_document.hpp"

#include <utility>
#include <vector>

namespace slipway::gateways::device {
namespace {

constexpr std::int64_t offline_after_timeout_ms = 15'000;

constexpr std::int64_t timeout_after(std::int64_t poll_ms) {
  return poll_ms + poll_ms / 2;
}

}  // namespace

heartbeats::heartbeats(std::shared_ptr<const services> s) : s_(std::move(s)) {
  const auto& d = domain::numbers::get().device;
  const auto now = s_->now();
  const auto view = s_->store.rows->view();
  view->scan(d.resource, 0, [&](const messages::row& r) {
    const auto state = messages::as_text(messages::field(r, d.api_heartbeat_state));
    if (state == "online" || state == "timeout") {
      const auto id = messages::id_of(r);
      of(id).entries[id] = {now, domain::poll_interval_ms(*view, r), false};
    }
    return true;
  });
}

void heartbeats::tell(std::int64_t device, const char* state) const {
  messages::set_heartbeat word;
  word.state = state;
  s_->ask->tell({messages::entity_kind::device, device}, std::move(word));
}

void heartbeats::seen(std::int64_t device, std::int64_t poll_ms) {
  auto& s = of(device);
  bool news = false;
  {
    const std::lock_guard lock(s.mutex);
    const auto [it, fresh] = s.entries.try_emplace(device);
    news = fresh || it->second.timed_out;
    it->second = {s_->now(), poll_ms, false};
  }
  if (news) {
    tell(device, "online");
  }
}

void heartbeats::sweep() {
  const auto now = s_->now();
  std::vector<std::pair<std::int64_t, const char*>> changed;
  for (auto& s : shards_) {
    const std::lock_guard lock(s.mutex);
    for (auto it = s.entries.begin(); it != s.entries.end();) {
      auto& [device, e] = *it;
      const auto silent = now - e.last_ms;
      if (silent > timeout_after(e.poll_ms) + offline_after_timeout_ms) {
        changed.emplace_back(device, "offline");
        it = s.entries.erase(it);
        continue;
      }
      if (!e.timed_out && silent > timeout_after(e.poll_ms)) {
        e.timed_out = true;
        changed.emplace_back(device, "timeout");
      }
      ++it;
    }
  }
  for (const auto& [device, state] : changed) {
    tell(device, state);
  }
}

}  // namespace slipway::gateways::device
