#include "domain/notice_queue.hpp"

#include <algorithm>

namespace slipway::domain {

std::size_t notice_queue::add(item i) {
  if (std::any_of(items_.begin(), items_.end(), [&](const item& x) { return x.id == i.id; })) {
    return 0;
  }
  if (i.kind == messages::notice_kind::update) {
    std::erase_if(items_, [](const item& x) { return x.kind == messages::notice_kind::update; });
  }
  std::size_t dropped = 0;
  if (items_.size() == items_max) {
    items_.erase(items_.begin());
    dropped = 1;
  }
  items_.push_back(std::move(i));
  return dropped;
}

bool notice_queue::acknowledge(std::uint64_t id) {
  return std::erase_if(items_, [&](const item& x) { return x.id == id; }) > 0;
}

std::size_t notice_queue::expire(std::int64_t now) {
  return std::erase_if(items_, [&](const item& x) { return x.expires != 0 && x.expires <= now; });
}

void notice_queue::unsend() {
  for (auto& i : items_) {
    i.sent = 0;
  }
}

std::vector<std::shared_ptr<const std::string>> notice_queue::due(
  std::int64_t now,
  std::int64_t again_after) {
  std::vector<std::shared_ptr<const std::string>> frames;
  for (auto& i : items_) {
    if (i.sent == 0 || now - i.sent >= again_after) {
      i.sent = now;
      frames.push_back(i.frame);
    }
  }
  return frames;
}

}  // namespace slipway::domain
