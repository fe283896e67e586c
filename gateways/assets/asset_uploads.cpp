#include "gateways/assets/asset_uploads.hpp"

#include "runtime/crypto.hpp"

#include <algorithm>
#include <utility>

namespace slipway::gateways {

using messages::errc;
using messages::fail;
using messages::result;

std::int64_t asset_upload::parts() const {
  return std::max<std::int64_t>(
    1,
    static_cast<std::int64_t>((about_.size + chunk_bytes_ - 1) / chunk_bytes_));
}

std::uint64_t asset_upload::part_bytes(std::int64_t number) const {
  if (number < 1 || number > parts()) {
    return 0;
  }
  const auto before = static_cast<std::uint64_t>(number - 1) * chunk_bytes_;
  return std::min(chunk_bytes_, about_.size - before);
}

void asset_upload::put(std::int64_t number, asset_part p) {
  const std::lock_guard lock(mutex_);
  arrived_.insert_or_assign(number, std::move(p));
}

result<std::vector<asset_part>> asset_upload::all(
  const std::map<std::int64_t, std::string>& etags) const {
  const std::lock_guard lock(mutex_);
  std::vector<asset_part> found;
  for (std::int64_t n = 1; n <= parts(); ++n) {
    const auto told = etags.find(n);
    const auto here = arrived_.find(n);
    const bool same = told != etags.end() && here != arrived_.end()
                      && told->second == here->second.bytes->what().text;
    if (!same) {
      return fail(errc::conflict, "part " + std::to_string(n) + " is missing or another one");
    }
    found.push_back(here->second);
  }
  return found;
}

result<std::string> asset_uploads::begin(
  std::int64_t asset,
  stored_asset about,
  std::uint64_t chunk_bytes,
  std::int64_t now_ms) {
  if (about.size == 0 || chunk_bytes < chunk_bytes_min) {
    return fail(
      errc::invalid_argument,
      "\"size\" must be above 0 and \"chunk_size\" at least 65536");
  }
  auto upload = std::make_shared<asset_upload>(asset, std::move(about), chunk_bytes);
  if (upload->parts() > parts_max) {
    return fail(errc::invalid_argument, "more than 10000 parts: choose a larger \"chunk_size\"");
  }
  const std::lock_guard lock(mutex_);
  if (known_.size() >= uploads_max) {
    return fail(errc::too_many_requests, "too many uploads under way");
  }
  auto name = runtime::random_hex(32);
  known_[name] = {std::move(upload), now_ms};
  return name;
}

std::shared_ptr<asset_upload> asset_uploads::find(const std::string& name, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  const auto it = known_.find(name);
  if (it == known_.end()) {
    return nullptr;
  }
  it->second.touched_ms = now_ms;
  return it->second.upload;
}

void asset_uploads::end(const std::string& name) {
  std::shared_ptr<asset_upload> last;  // lets go of its parts outside the lock
  const std::lock_guard lock(mutex_);
  const auto it = known_.find(name);
  if (it != known_.end()) {
    last = std::move(it->second.upload);
    known_.erase(it);
  }
}

void asset_uploads::sweep(std::int64_t now_ms) {
  std::vector<std::string> old;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, e] : known_) {
      if (now_ms - e.touched_ms > idle_ms_max) {
        old.push_back(name);
      }
    }
  }
  for (const auto& name : old) {
    end(name);
  }
}

}  // namespace slipway::gateways
