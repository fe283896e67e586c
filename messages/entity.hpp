#pragma once

#include "messages/fields.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace slipway::messages {

/// Aggregate roots: each is one stream of the log with one writer, an actor. Numbers are on disk: never reused.
enum class entity_kind : std::uint8_t {
  none = 0,
  catalog = 1,       ///< the one holder of device types, architectures and application types; id 64
  user = 2,          ///< the user, its keys
  organization = 3,  ///< the organization and its memberships
  fleet = 4,         ///< an application with its services, releases, images, variables and tags
  device = 5,        ///< a device with its variables, tags, installs and keys
  upload = 6,        ///< a blob upload session
};

struct entity_ref {
  entity_kind kind = entity_kind::none;
  std::int64_t id = 0;
  SLIPWAY_FIELDS(kind, id)
  friend bool operator==(const entity_ref&, const entity_ref&) = default;
  friend auto operator<=>(const entity_ref&, const entity_ref&) = default;
};

constexpr int partition_count = 64;

/// Ids are counter * 64 + partition, so an id names its partition. Children share their root's partition.
constexpr int partition_of(std::int64_t id) {
  return static_cast<int>(static_cast<std::uint64_t>(id) % partition_count);
}

}  // namespace slipway::messages

template <>
struct std::hash<slipway::messages::entity_ref> {
  std::size_t operator()(const slipway::messages::entity_ref& r) const noexcept {
    return std::hash<std::uint64_t>{}(
      static_cast<std::uint64_t>(r.id) * 0x9e3779b97f4a7c15ULL
      + static_cast<std::uint64_t>(r.kind));
  }
};
