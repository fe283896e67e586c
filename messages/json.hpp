#pragma once

#include "messages/error.hpp"
#include "messages/fields.hpp"

#include <nlohmann/json.hpp>

#include <string>

/// JSON for everything that lists its members: an object by member name. Unknown members are ignored, missing ones keep their
/// default.
template <slipway::messages::has_fields T>
struct nlohmann::adl_serializer<T> {
  template <class Json>
  static void to_json(Json& j, const T& x) {
    j = Json::object();
    constexpr auto names = T::field_names();
    std::size_t i = 0;
    std::apply(
      [&](const auto&... member) { ((j[std::string(names[i++])] = member), ...); },
      x.fields());
  }

  template <class Json>
  static void from_json(const Json& j, T& x) {
    constexpr auto names = T::field_names();
    std::size_t i = 0;
    const auto read = [&](auto& member) {
      const auto it = j.find(std::string(names[i++]));
      if (it != j.end() && !it->is_null()) {
        it->get_to(member);
      }
    };
    std::apply([&](auto&... member) { (read(member), ...); }, x.fields());
  }
};

namespace slipway::messages {

/// Parses outside text. Errors: invalid_argument; too deep nesting counts as malformed.
result<nlohmann::json> parse_json(std::string_view text, std::size_t depth_max = 64);

/// Text of `j`; bytes that are not UTF-8 are replaced.
std::string dump_json(const nlohmann::json& j);

}  // namespace slipway::messages
