#include "actors/log_follower.hpp"

namespace slipway::actors {

using messages::log_record;
using messages::result;

result<void> log_follower::read_until(int partition, std::uint64_t last, const visitor& visit) {
  auto& at = at_[static_cast<std::size_t>(partition)];
  if (at >= last) {
    return {};
  }
  return log_->read(partition, at + 1, [&](const log_record& r) {
    if (r.position.seq > last) {
      return false;
    }
    at = r.position.seq;
    visit(r);
    return at < last;
  });
}

result<void> log_follower::catch_up(const visitor& visit) {
  const auto last = log_->last();
  for (int p = 0; p < messages::partition_count; ++p) {
    if (auto ok = read_until(p, last[static_cast<std::size_t>(p)], visit); !ok) {
      return ok;
    }
  }
  return {};
}

result<void> log_follower::take(std::span<const log_record> batch, const visitor& visit) {
  for (const auto& r : batch) {
    auto& at = at_[static_cast<std::size_t>(r.position.partition)];
    if (r.position.seq <= at) {
      continue;
    }
    if (auto ok = read_until(r.position.partition, r.position.seq - 1, visit); !ok) {
      return ok;
    }
    at = r.position.seq;
    visit(r);
  }
  return {};
}

}  // namespace slipway::actors
