#include "runtime/overlay/connections.hpp"

namespace slipway::runtime {

connections::connection& connections::open(int descriptor, std::int64_t now) {
  close(descriptor);
  const auto number = ++last_;
  by_descriptor_[descriptor] = number;
  auto& c = by_number_[number];
  c.number = number;
  c.descriptor = descriptor;
  c.opened = now;
  c.heard = now;
  return c;
}

std::uint64_t connections::close(int descriptor) {
  const auto it = by_descriptor_.find(descriptor);
  if (it == by_descriptor_.end()) {
    return 0;
  }
  const auto number = it->second;
  by_descriptor_.erase(it);
  const auto c = by_number_.find(number);
  unbind(c->second);
  by_number_.erase(c);
  return number;
}

connections::connection* connections::by_number(std::uint64_t number) {
  const auto it = by_number_.find(number);
  return it == by_number_.end() ? nullptr : &it->second;
}

connections::connection* connections::by_descriptor(int descriptor) {
  const auto it = by_descriptor_.find(descriptor);
  return it == by_descriptor_.end() ? nullptr : by_number(it->second);
}

connections::connection* connections::by_uuid(const std::string& uuid) {
  const auto it = by_uuid_.find(uuid);
  return it == by_uuid_.end() ? nullptr : by_number(it->second);
}

void connections::bind(connection& c, std::int64_t device, const std::string& uuid) {
  unbind(c);
  c.device = device;
  c.uuid = uuid;
  by_uuid_[uuid] = c.number;
}

void connections::unbind(connection& c) {
  const auto it = by_uuid_.find(c.uuid);
  if (it != by_uuid_.end() && it->second == c.number) {
    by_uuid_.erase(it);
  }
  c.device = 0;
  c.uuid.clear();
  c.greeted = false;
}

}  // namespace slipway::runtime
