#include "gateways/registry/storage_shares.hpp"

#include <algorithm>

namespace slipway::gateways {

std::uint64_t storage_shares::stored(std::int64_t organization) const {
  const std::lock_guard lock(mutex_);
  const auto it = shares_.find(organization);
  return it == shares_.end() ? 0 : it->second.stored;
}

void storage_shares::set(
  std::int64_t organization,
  std::uint64_t limit,
  std::uint64_t counted,
  std::uint64_t before) {
  const std::lock_guard lock(mutex_);
  auto& s = shares_[organization];
  s.limit = limit;
  s.used = counted + (s.stored - before);
}

std::uint64_t storage_shares::room(std::int64_t organization) const {
  const std::lock_guard lock(mutex_);
  const auto it = shares_.find(organization);
  return it == shares_.end() ? 0 : it->second.left();
}

bool storage_shares::change(upload& u, std::uint64_t bytes) {
  auto& s = shares_[u.organization];
  if (bytes > u.bytes && bytes - u.bytes > s.left()) {
    return false;
  }
  s.held = s.held - u.bytes + bytes;
  u.bytes = bytes;
  return true;
}

bool storage_shares::hold(
  std::int64_t organization,
  const std::string& upload_id,
  std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  auto& u = uploads_.try_emplace(upload_id, upload{organization}).first->second;
  const bool granted = change(u, bytes);
  u.paused = u.paused && !granted;
  if (!granted && u.bytes == 0) {
    uploads_.erase(upload_id);
  }
  return granted;
}

bool storage_shares::resize(const std::string& upload_id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto it = uploads_.find(upload_id);
  return it == uploads_.end() || change(it->second, bytes);
}

void storage_shares::pause(const std::string& upload_id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto it = uploads_.find(upload_id);
  if (it == uploads_.end()) {
    return;
  }
  change(it->second, std::min(bytes, it->second.bytes));
  it->second.paused = true;
  if (it->second.bytes == 0) {
    uploads_.erase(it);
  }
}

void storage_shares::end(std::unordered_map<std::string, upload>::iterator it, bool stored) {
  auto& s = shares_[it->second.organization];
  const auto bytes = it->second.bytes;
  s.held -= bytes;
  s.used += stored ? bytes : 0;
  s.stored += stored ? bytes : 0;
  uploads_.erase(it);
}

void storage_shares::release(const std::string& upload_id, bool stored) {
  const std::lock_guard lock(mutex_);
  if (const auto it = uploads_.find(upload_id); it != uploads_.end()) {
    end(it, stored);
  }
}

void storage_shares::forget(const std::string& upload_id) {
  const std::lock_guard lock(mutex_);
  if (const auto it = uploads_.find(upload_id); it != uploads_.end() && it->second.paused) {
    end(it, false);
  }
}

std::vector<std::string> storage_shares::paused(std::int64_t organization) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [id, u] : uploads_) {
    if (u.paused && u.organization == organization) {
      out.push_back(id);
    }
  }
  return out;
}

}  // namespace slipway::gateways
