#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace slipway::storage {

/// A bounded map that keeps what was used lately: two generations, the older one is dropped when the younger is full.
/// Nothing is dropped but by `turn`, so between two turns it is an exact overlay of what was put.
template <class Key, class Value, class Hash = std::hash<Key>>
class generation_cache {
public:
  /// At most about twice `cost_max` is kept.
  explicit generation_cache(std::size_t cost_max) : cost_max_(cost_max) {}

  [[nodiscard]] Value* find(const Key& key) {
    if (const auto it = young_.find(key); it != young_.end()) {
      return &it->second;
    }
    auto node = old_.extract(key);
    if (node.empty()) {
      return nullptr;
    }
    cost_ += 1;
    return &young_.insert(std::move(node)).position->second;
  }

  /// `cost` in the unit of `cost_max`; a value put again counts again, which only turns the generations earlier.
  Value& put(const Key& key, std::size_t cost) {
    cost_ += cost;
    if (auto* known = find(key)) {
      return *known;
    }
    return young_[key];
  }

  void turn() {
    if (cost_ > cost_max_) {
      old_ = std::move(young_);
      young_.clear();
      cost_ = 0;
    }
  }

  void clear() {
    young_.clear();
    old_.clear();
    cost_ = 0;
  }

private:
  std::unordered_map<Key, Value, Hash> young_;
  std::unordered_map<Key, Value, Hash> old_;
  std::size_t cost_max_;
  std::size_t cost_ = 0;
};

}  // namespace slipway::storage
