#include "gateways/assets/asset_store.hpp"

#include "runtime/crypto.hpp"
#include "runtime/failpoint.hpp"

#include <utility>
#include <vector>

namespace slipway::gateways {

using messages::errc;
using messages::result;

asset_store::hold::hold(asset_store& store, storage::digest d)
  : store_(store), digest_(std::move(d)) {
  const std::lock_guard lock(store_.mutex_);
  ++store_.held_[digest_.text];
  store_.held_meanwhile_.insert(digest_.text);
}

asset_store::hold::~hold() {
  {
    const std::lock_guard lock(store_.mutex_);
    const auto it = store_.held_.find(digest_.text);
    if (--it->second == 0) {
      store_.held_.erase(it);
    }
  }
  store_.rows_changed();  // perhaps no row took it over
}

result<std::unique_ptr<storage::blob_writer>> asset_store::begin() {
  return blobs_.begin(runtime::random_hex(32));
}

result<std::shared_ptr<asset_store::hold>> asset_store::finish(storage::blob_writer& writer) {
  auto d = writer.content();
  if (!d) {
    return tl::unexpected(d.error());
  }
  // Held before it has its name: a sweep that is under way must not take it for left over.
  auto held = std::make_shared<hold>(*this, std::move(*d));
  if (auto done = writer.finish(held->what()); !done) {
    return tl::unexpected(done.error());
  }
  SLIPWAY_FAILPOINT("asset.stored");
  return held;
}

result<std::unique_ptr<storage::blob_reader>> asset_store::open(const std::string& digest) const {
  const auto d = storage::parse_digest(digest);
  return d ? blobs_.open(*d) : tl::unexpected(d.error());
}

bool asset_store::remove_unless_held(const storage::digest& d) {
  // Under the lock: who wants to hold it waits, and then stores it again.
  const std::lock_guard lock(mutex_);
  if (held_.contains(d.text) || held_meanwhile_.contains(d.text)) {
    return false;
  }
  return blobs_.remove(d).has_value();
}

result<std::size_t> asset_store::sweep(const std::function<std::set<std::string>()>& in_use) {
  const std::lock_guard one_at_a_time(sweeping_);
  if (!changed_.exchange(false)) {
    return 0;
  }
  {
    const std::lock_guard lock(mutex_);
    held_meanwhile_.clear();
    for (const auto& [digest, count] : held_) {
      held_meanwhile_.insert(digest);
    }
  }
  // Blobs before rows: one that is stored meanwhile is not in the list, or is held, or has its row.
  std::vector<storage::digest> stored;
  const auto listed = blobs_.each([&](const storage::digest& d) {
    stored.push_back(d);
    return true;
  });
  if (!listed) {
    changed_ = true;
    return tl::unexpected(listed.error());
  }
  if (stored.empty()) {
    return 0;
  }
  const auto used = in_use();
  std::size_t gone = 0;
  for (const auto& d : stored) {
    gone += !used.contains(d.text) && remove_unless_held(d) ? 1U : 0U;
  }
  return gone;
}

}  // namespace slipway::gateways
