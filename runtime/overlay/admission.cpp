#include "runtime/overlay/admission.hpp"

#include "runtime/curve.hpp"

#include <unordered_set>

namespace slipway::runtime {
namespace {

constexpr std::size_t uuid_characters_max = 64;

template <class Index, class Key>
std::int64_t look(const Index& index, const Key& key) {
  const auto it = index.find(key);
  return it == index.end() ? 0 : it->second;
}

}  // namespace

admission::device* admission::by_id(std::int64_t id) {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &it->second;
}

admission::device* admission::by_key(const std::string& key) {
  return by_id(look(by_key_, key));
}

admission::device* admission::by_uuid(const std::string& uuid) {
  return by_id(look(by_uuid_, uuid));
}

bool admission::add(const messages::admitted_device& d, std::vector<std::string>& cut) {
  const bool proper = d.device > 0 && !d.uuid.empty() && d.uuid.size() <= uuid_characters_max
                      && is_curve_key(d.public_key);
  const auto key_owner = look(by_key_, d.public_key);
  const auto uuid_owner = look(by_uuid_, d.uuid);
  if (
    !proper || (key_owner != 0 && key_owner != d.device)
    || (uuid_owner != 0 && uuid_owner != d.device)) {
    return false;
  }
  auto* known = by_id(d.device);
  if (known != nullptr && known->uuid == d.uuid && known->key == d.public_key) {
    return true;
  }
  if (known != nullptr) {
    remove(d.device, cut);
  }
  by_id_[d.device] = {d.device, d.uuid, d.public_key};
  by_key_[d.public_key] = d.device;
  by_uuid_[d.uuid] = d.device;
  return true;
}

void admission::remove(std::int64_t id, std::vector<std::string>& cut) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) {
    return;
  }
  cut.push_back(it->second.uuid);
  by_key_.erase(it->second.key);
  by_uuid_.erase(it->second.uuid);
  by_id_.erase(it);
}

std::vector<std::string> admission::replace(const std::vector<messages::admitted_device>& all) {
  std::unordered_set<std::int64_t> stay;
  for (const auto& d : all) {
    stay.insert(d.device);
  }
  std::vector<std::int64_t> leave;
  for (const auto& [id, known] : by_id_) {
    if (!stay.contains(id)) {
      leave.push_back(id);
    }
  }
  std::vector<std::string> cut;
  for (const auto id : leave) {
    remove(id, cut);
  }
  for (const auto& d : all) {
    // An entry that cannot be taken must not leave an older one of that device in force.
    if (!add(d, cut)) {
      remove(d.device, cut);
    }
  }
  ready_ = true;
  return cut;
}

std::vector<std::string> admission::take(messages::admit_all part) {
  if (part.part == 0) {
    table_ = part.table;
    next_part_ = 0;
    incoming_.clear();
  }
  if (part.table != table_ || part.part != next_part_) {
    incoming_.clear();
    next_part_ = ~0U;  // wait for part 0 of another table
    return {};
  }
  ++next_part_;
  incoming_.insert(
    incoming_.end(),
    std::make_move_iterator(part.devices.begin()),
    std::make_move_iterator(part.devices.end()));
  if (next_part_ < part.parts) {
    return {};
  }
  const auto all = std::move(incoming_);
  incoming_ = {};
  return replace(all);
}

std::vector<std::string> admission::take(const messages::admit& more) {
  std::vector<std::string> cut;
  for (const auto& d : more.devices) {
    add(d, cut);
  }
  return cut;
}

std::vector<std::string> admission::take(const messages::revoke& less) {
  std::vector<std::string> cut;
  for (const auto id : less.devices) {
    remove(id, cut);
  }
  return cut;
}

}  // namespace slipway::runtime
