#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace slipway::gateways {

/// Bytes of manifests by digest, so never stale. Bounded in bytes; the oldest go first.
class manifest_cache {
public:
  explicit manifest_cache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  using bytes_ptr = std::shared_ptr<const std::string>;
  /// Nothing when it is not here.
  [[nodiscard]] bytes_ptr find(const std::string& digest) const {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(digest);
    return it == entries_.end() ? nullptr : it->second;
  }

  void add(const std::string& digest, bytes_ptr bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes->size() > bytes_max_ / 4 || !entries_.emplace(digest, bytes).second) {
      return;  // one giant must not push out all others
    }
    order_.push_back(digest);
    bytes_ += bytes->size();
    while (bytes_ > bytes_max_) {
      const auto oldest = entries_.find(order_.front());
      bytes_ -= oldest->second->size();
      entries_.erase(oldest);
      order_.pop_front();
    }
  }

private:
  std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, bytes_ptr> entries_;
  std::deque<std::string> order_;
  std::size_t bytes_ = 0;
};

}  // namespace slipway::gateways
