#pragma once

#include "domain/schema.hpp"

#include <memory>
#include <vector>

namespace slipway::tests {

/// A small model with one of each thing: a fleet and its devices, tags unique in pairs, every kind of value.
/// Fields 0..2 are `id`, `created_at`, `modified_at` as everywhere.
namespace fleets {
constexpr std::uint16_t resource = 1;
enum : std::uint16_t { slug = 3, name = 4, weight = 5, settings = 6, archived = 7 };
}  // namespace fleets

namespace devices {
constexpr std::uint16_t resource = 2;
enum : std::uint16_t {
  uuid = 3,
  fleet = 4,
  status = 5,
  note = 6,
  online = 7,
  progress = 8,
  seen = 9
};
}  // namespace devices

namespace tags {
constexpr std::uint16_t resource = 3;
enum : std::uint16_t { device = 3, key = 4, value = 5 };
constexpr std::uint16_t by_device_and_key = domain::first_composite;
}  // namespace tags

[[nodiscard]] std::vector<domain::resource_def> test_resources();
[[nodiscard]] std::shared_ptr<const domain::schema> test_schema();

}  // namespace slipway::tests
