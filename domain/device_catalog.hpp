#pragma once

#include <span>
#include <string_view>

namespace slipway::domain {

/// A kind of board or machine as the public catalog lists it. Names of the hardware are its makers'.
struct known_device_type {
  std::string_view slug;
  std::string_view name;
  std::string_view architecture;
  std::string_view family;  ///< slug of a `known_device_family`, "" = none known
  std::string_view
    aliases;  ///< other names it is asked for by, separated by spaces; its slug is one too
};

struct known_device_family {
  std::string_view slug;
  std::string_view name;
  std::string_view manufacturer;  ///< slug of a `known_manufacturer`
};

struct known_manufacturer {
  std::string_view slug;
  std::string_view name;
};

/// What a new installation knows. Later versions only add: rows that were seeded stay as they are.
[[nodiscard]] std::span<const std::string_view> known_architectures();
[[nodiscard]] std::span<const known_device_type> known_device_types();
[[nodiscard]] std::span<const known_device_family> known_device_families();
[[nodiscard]] std::span<const known_manufacturer> known_manufacturers();

}  // namespace slipway::domain
