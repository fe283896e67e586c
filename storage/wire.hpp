#pragma once

#include "messages/fields.hpp"
#include "messages/value.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace slipway::storage {

/// One msgpack scalar; `bytes` points into the input.
struct wire_scalar {
  enum kinds { null, boolean, integer, number, text, binary } kind = null;
  bool boolean_value = false;
  std::int64_t integer_value = 0;
  double number_value = 0;
  std::string_view bytes;
};

/// Reads what `messages::pack` writes straight into structs, without a tree of objects between: replay decodes millions of
/// records. Every read is checked against the input's end; a declared length allocates nothing before its bytes are
/// seen. Objects passed in are overwritten, their buffers are used again. After a false answer the reader is of no use.
class wire_reader {
public:
  explicit wire_reader(std::string_view bytes)
    : p_(reinterpret_cast<const unsigned char*>(bytes.data())), end_(p_ + bytes.size()) {}

  [[nodiscard]] bool at_end() const { return p_ == end_; }
  [[nodiscard]] const char* position() const { return reinterpret_cast<const char*>(p_); }

  /// Steps over one object of any kind.
  [[nodiscard]] bool skip();
  [[nodiscard]] bool read_array(std::uint32_t& size);
  [[nodiscard]] bool read_scalar(wire_scalar& s);

  [[nodiscard]] bool read(messages::value& v);
  [[nodiscard]] bool read(std::string& s);
  [[nodiscard]] bool read(bool& b);

  template <class T>
  requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) [[nodiscard]] bool read(T& x) {
    std::uint64_t bits = 0;
    bool negative = false;
    if (!read_integer(bits, negative)) {
      return false;
    }
    if (negative) {
      const auto n = static_cast<std::int64_t>(bits);
      if (std::is_unsigned_v<T> || n < static_cast<std::int64_t>(std::numeric_limits<T>::min())) {
        return false;
      }
    } else if (bits > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
      return false;
    }
    x = static_cast<T>(bits);
    return true;
  }

  template <class T>
  requires std::is_enum_v<T>
  [[nodiscard]] bool read(T& x) {
    std::underlying_type_t<T> n{};
    if (!read(n)) {
      return false;
    }
    x = static_cast<T>(n);
    return true;
  }

  template <std::size_t N>
  [[nodiscard]] bool read(std::array<std::uint8_t, N>& bytes) {
    wire_scalar s;
    if (!read_scalar(s) || s.kind != wire_scalar::binary || s.bytes.size() != N) {
      return false;
    }
    __builtin_memcpy(bytes.data(), s.bytes.data(), N);
    return true;
  }

  template <class T>
  [[nodiscard]] bool read(std::vector<T>& list) {
    std::uint32_t size = 0;
    if (!read_array(size)) {
      return false;
    }
    for (std::uint32_t i = 0; i < size; ++i) {
      if (i == list.size()) {
        list.emplace_back();
      }
      if (!read(list[i])) {
        return false;
      }
    }
    list.resize(size);
    return true;
  }

  template <messages::has_fields T>
  [[nodiscard]] bool read(T& x) {
    constexpr std::size_t known = T::field_names().size();
    std::uint32_t size = 0;
    if (!read_array(size)) {
      return false;
    }
    if (size < known) {
      x = T{};  // what an old writer did not know keeps its default
    }
    std::uint32_t i = 0;
    bool good = true;
    std::apply(
      [&](auto&... member) { ((i < size ? (good = good && read(member), ++i) : i), ...); },
      x.fields());
    for (; good && i < size; ++i) {
      good = skip();
    }
    return good;
  }

private:
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - p_); }
  [[nodiscard]] bool take(std::size_t n, std::uint64_t& big_endian);
  [[nodiscard]] bool read_integer(std::uint64_t& bits, bool& negative);

  const unsigned char* p_;
  const unsigned char* end_;
};

}  // namespace slipway::storage
