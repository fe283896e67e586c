#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>

/// Lists a message's members once. CAF inspection, msgpack and JSON derive from the list.
/// New members go last and have a default; none is removed, reordered or retyped.
#define SLIPWAY_FIELDS(...)                                                                  \
  auto fields() {                                                                            \
    return std::tie(__VA_ARGS__);                                                            \
  }                                                                                          \
  auto fields() const {                                                                      \
    return std::tie(__VA_ARGS__);                                                            \
  }                                                                                          \
  static constexpr auto field_names() {                                                      \
    return ::slipway::messages::split_names<::slipway::messages::count_names(#__VA_ARGS__)>( \
      #__VA_ARGS__);                                                                         \
  }

namespace slipway::messages {

constexpr std::size_t count_names(std::string_view list) {
  std::size_t n = 1;
  for (char c : list) {
    n += c == ',' ? 1 : 0;
  }
  return n;
}

template <std::size_t N>
constexpr std::array<std::string_view, N> split_names(std::string_view list) {
  std::array<std::string_view, N> names{};
  for (std::size_t i = 0; i < N; ++i) {
    const auto comma = list.find(',');
    auto name = list.substr(0, comma);
    while (!name.empty() && name.front() == ' ') {
      name.remove_prefix(1);
    }
    while (!name.empty() && (name.back() == ' ' || name.back() == '_')) {
      name.remove_suffix(1);
    }
    names[i] = name;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return names;
}

/// A struct that lists its members with SLIPWAY_FIELDS.
template <class T>
concept has_fields = requires(T& x) {
  x.fields();
  T::field_names();
};

/// CAF 0.17 inspection, found by argument-dependent lookup; needs no CAF header.
template <class Inspector, has_fields T>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  return std::apply([&f](auto&... member) { return f(member...); }, x.fields());
}

}  // namespace slipway::messages
