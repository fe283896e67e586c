#pragma once

#include "domain/schema.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::storage {

/// What the store needs of the schema (ADR 12), laid out for the write path.
class plan {
public:
  struct index {
    std::uint16_t number = 0;
    bool unique = false;
    std::vector<std::uint16_t> fields;
    std::string violation;  ///< `"uuid" must be unique.`
  };
  struct resource {
    std::uint16_t number = 0;
    std::size_t field_count = 0;
    std::vector<index> indices;
    [[nodiscard]] const index* find(std::uint16_t index_number) const;
  };

  explicit plan(std::shared_ptr<const domain::schema> s);

  [[nodiscard]] const resource* find(std::uint16_t number) const {
    return number < by_number_.size() ? by_number_[number].get() : nullptr;
  }
  /// Equal iff rows and indices derived by both are laid out alike. Kept in the store: a difference means rebuilding.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

private:
  std::shared_ptr<const domain::schema> schema_;
  std::vector<std::unique_ptr<resource>> by_number_;
  std::string fingerprint_;
};

}  // namespace slipway::storage
