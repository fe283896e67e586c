#include "runtime/directory.hpp"

#include "runtime/assert.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

namespace slipway::runtime {

using messages::entity_ref;

void directory::add(messages::entity_kind kind, factory make) {
  factories_[static_cast<std::size_t>(kind)] = std::move(make);
}

directory::shard& directory::shard_of(entity_ref entity) {
  return shards_[std::hash<entity_ref>{}(entity) % shards_.size()];
}

void directory::send(const caf::actor& from, entity_ref to, caf::message m) {
  auto& s = shard_of(to);
  const std::lock_guard lock(s.mutex);
  if (s.stopped) {
    return;
  }
  auto it = s.live.find(to);
  if (it == s.live.end()) {
    const auto& make = factories_[static_cast<std::size_t>(to.kind)];
    SLIPWAY_ASSERT(make);
    it = s.live.emplace(to, make(to)).first;
  }
  it->second->enqueue(
    caf::actor_cast<caf::strong_actor_ptr>(from),
    caf::make_message_id(),
    std::move(m),
    nullptr);
}

bool directory::release(entity_ref entity, const std::function<bool()>& mailbox_is_empty) {
  auto& s = shard_of(entity);
  const std::lock_guard lock(s.mutex);
  if (!mailbox_is_empty()) {
    return false;
  }
  s.live.erase(entity);
  return true;
}

void directory::forget(entity_ref entity, std::uint64_t actor_id) {
  auto& s = shard_of(entity);
  const std::lock_guard lock(s.mutex);
  const auto it = s.live.find(entity);
  if (it != s.live.end() && it->second.id() == actor_id) {
    s.live.erase(it);
  }
}

std::size_t directory::active() const {
  std::size_t n = 0;
  for (const auto& s : shards_) {
    const std::lock_guard lock(s.mutex);
    n += s.live.size();
  }
  return n;
}

void directory::stop() {
  for (auto& s : shards_) {
    std::unordered_map<entity_ref, caf::actor> live;
    {
      const std::lock_guard lock(s.mutex);
      s.stopped = true;
      live.swap(s.live);
    }
    for (const auto& [entity, actor] : live) {
      caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    }
  }
}

}  // namespace slipway::runtime
