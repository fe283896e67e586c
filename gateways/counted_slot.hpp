#pragma once

#include <atomic>
#include <cstddef>

namespace slipway::gateways {

/// A place among those that are under way at once: taken for as long as it lives, false when there were `limit` already. Any thread.
class counted_slot {
public:
  counted_slot(std::atomic<std::size_t>& count, std::size_t limit)
    : count_(count), granted_(count.fetch_add(1) < limit) {}
  ~counted_slot() { count_.fetch_sub(1); }
  counted_slot(const counted_slot&) = delete;
  counted_slot& operator=(const counted_slot&) = delete;
  explicit operator bool() const { return granted_; }

private:
  std::atomic<std::size_t>& count_;
  bool granted_;
};

}  // namespace slipway::gateways
