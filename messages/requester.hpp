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

/// What a member of an organization or of a fleet may do, each including what those before it may (docs/permissions.md).
enum class role : std::uint8_t {
  none = 0,
  member =
    1,  ///< belongs to the organization, and sees of its fleets only those it has a role of its own on
  observer = 2,       ///< reads all but secrets
  operator_ = 3,      ///< devices
  developer = 4,      ///< fleets, releases, variables
  administrator = 5,  ///< members too
};

struct membership {
  std::int64_t of = 0;  ///< row of the organization or application
  role as = role::none;
  SLIPWAY_FIELDS(of, as)
  friend bool operator==(const membership&, const membership&) = default;
};

/// What an API key was narrowed to when it was made. Empty lists limit nothing; else only what is of a listed organization or fleet.
struct key_scope {
  bool read_only = false;
  std::vector<std::int64_t> organizations;
  std::vector<std::int64_t> fleets;
  SLIPWAY_FIELDS(read_only, organizations, fleets)
  friend bool operator==(const key_scope&, const key_scope&) = default;
};

/// Who asks, as established from a credential. Rights are decided from this alone, in `domain/access`.
struct requester {
  requester_kind kind = requester_kind::guest;
  std::int64_t id = 0;                    ///< row of user, application or device
  std::int64_t actor = 0;                 ///< actor id
  bool administrator = false;             ///< of the whole platform
  bool by_key = false;                    ///< an API key rather than a login session
  std::vector<membership> organizations;  ///< of a user
  std::vector<membership> fleets;         ///< of a user: those it has a role of its own on
  key_scope scope;                        ///< of an API key
  std::int64_t key = 0;                   ///< row of the API key, 0 = none
  std::int64_t authenticated_at = 0;      ///< ms; when the password of a session was last given
  SLIPWAY_FIELDS(
    kind,
    id,
    actor,
    administrator,
    by_key,
    organizations,
    fleets,
    scope,
    key,
    authenticated_at)
  friend bool operator==(const requester&, const requester&) = default;
};

}  // namespace slipway::messages
