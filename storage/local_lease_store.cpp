#include "storage/local_lease_store.hpp"

#include <map>
#include <mutex>

namespace slipway::storage {
namespace {

class local_lease_store : public lease_store {
public:
  messages::result<lease> acquire(
    const std::string& name,
    const std::string& holder,
    std::int64_t now_ms,
    std::int64_t ttl_ms) override {
    const std::lock_guard lock(mutex_);
    auto& l = leases_[name];
    const bool held = !l.holder.empty() && l.expires_ms > now_ms;
    if (held && l.holder != holder) {
      return messages::fail(messages::errc::conflict, "lease " + name + " is held by " + l.holder);
    }
    // The same holder after its lease ran out is a new one: somebody may have acted in between.
    if (!held) {
      ++l.epoch;
    }
    l.holder = holder;
    l.expires_ms = now_ms + ttl_ms;
    return l;
  }

  std::optional<lease> find(const std::string& name, std::int64_t now_ms) const override {
    const std::lock_guard lock(mutex_);
    const auto it = leases_.find(name);
    if (it == leases_.end() || it->second.holder.empty() || it->second.expires_ms <= now_ms) {
      return std::nullopt;
    }
    return it->second;
  }

  void release(const std::string& name, const std::string& holder) override {
    const std::lock_guard lock(mutex_);
    const auto it = leases_.find(name);
    if (it != leases_.end() && it->second.holder == holder) {
      it->second.holder.clear();  // the epoch stays: it must go on growing
    }
  }

private:
  mutable std::mutex mutex_;
  std::map<std::string, lease> leases_;
};

}  // namespace

std::shared_ptr<lease_store> make_local_lease_store() {
  return std::make_shared<local_lease_store>();
}

}  // namespace slipway::storage
