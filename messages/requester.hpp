#pragma once

#include "messages/fields.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace slipway::messages {

enum class requester_kind : std::uint8_t {
  guest = 0,
  user = 1,
  fleet = 2,     ///< a provisioning key
  device = 3,    ///< a device key
  platform = 4,  ///< slipwayd itself
};

/// Who asks, as established from a credential. Rights are decided from this alone, in `domain/access`.
struct requester {
  requester_kind kind = requester_kind::guest;
  std::int64_t id = 0;     ///< row of user, application or device
  std::int64_t actor = 0;  ///< actor id
  bool administrator = false;
  bool by_key = false;                      ///< an API key rather than a login session
  std::vector<std::int64_t> organizations;  ///< of a user: those it is a member of
  SLIPWAY_FIELDS(kind, id, actor, administrator, by_key, organizations)
  friend bool operator==(const requester&, const requester&) = default;
};

}  // namespace slipway::messages
