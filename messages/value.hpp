#pragma once

#include "messages/fields.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace slipway::messages {

/// A JSON document kept as its text.
struct json_text {
  std::string text;
  SLIPWAY_FIELDS(text)
  friend bool operator==(const json_text&, const json_text&) = default;
  friend auto operator<=>(const json_text&, const json_text&) = default;
};

using null = std::monostate;

/// One field of a row. Integers, references (the id) and dates (ms since 1970, UTC) are int64.
using value = std::variant<null, bool, std::int64_t, double, std::string, json_text>;

/// A stored row: field n of the resource is element n. Elements 0, 1, 2 are `id`, `created_at`, `modified_at` of every
/// resource. A row may be shorter than its resource has fields: what is missing is null.
using row = std::vector<value>;

inline bool is_null(const value& v) {
  return std::holds_alternative<null>(v);
}

inline const value& field(const row& r, std::size_t number) {
  static const value nothing;
  return number < r.size() ? r[number] : nothing;
}

inline std::int64_t as_int(const value& v, std::int64_t otherwise = 0) {
  const auto* i = std::get_if<std::int64_t>(&v);
  return i != nullptr ? *i : otherwise;
}

inline std::string as_text(const value& v) {
  if (const auto* s = std::get_if<std::string>(&v)) {
    return *s;
  }
  const auto* j = std::get_if<json_text>(&v);
  return j != nullptr ? j->text : std::string{};
}

inline bool as_bool(const value& v, bool otherwise = false) {
  const auto* b = std::get_if<bool>(&v);
  return b != nullptr ? *b : otherwise;
}

inline std::int64_t id_of(const row& r) {
  return as_int(field(r, 0));
}

/// A field of a row and what it is to become.
struct field_value {
  std::uint16_t field = 0;
  messages::value value;
  SLIPWAY_FIELDS(field, value)
  friend bool operator==(const field_value&, const field_value&) = default;
};

}  // namespace slipway::messages
