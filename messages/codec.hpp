#pragma once

#include "messages/error.hpp"
#include "messages/fields.hpp"
#include "messages/value.hpp"

#include <msgpack.hpp>

#include <bit>
#include <string>
#include <string_view>
#include <type_traits>

/// msgpack for everything that lists its members: `fields()` as an array. Old readers skip a longer tail, new readers keep
/// the default of what is missing. See docs/formats/messages.md.

namespace msgpack {
MSGPACK_API_VERSION_NAMESPACE(MSGPACK_DEFAULT_API_NS) {
  namespace adaptor {

  template <slipway::messages::has_fields T>
  struct pack<T> {
    template <typename Stream>
    packer<Stream>& operator()(packer<Stream>& o, const T& x) const {
      std::apply(
        [&o](const auto&... member) {
          o.pack_array(static_cast<std::uint32_t>(sizeof...(member)));
          (o.pack(member), ...);
        },
        x.fields());
      return o;
    }
  };

  template <slipway::messages::has_fields T>
  struct convert<T> {
    const msgpack::object& operator()(const msgpack::object& o, T& x) const {
      if (o.type != msgpack::type::ARRAY) {
        throw msgpack::type_error();
      }
      std::uint32_t i = 0;
      std::apply(
        [&](auto&... member) {
          ((i < o.via.array.size ? (void)o.via.array.ptr[i++].convert(member) : (void)0), ...);
        },
        x.fields());
      return o;
    }
  };

  template <class T>
  requires std::is_enum_v<T>
  struct pack<T> {
    template <typename Stream>
    packer<Stream>& operator()(packer<Stream>& o, const T& x) const {
      return o.pack(static_cast<std::underlying_type_t<T>>(x));
    }
  };

  template <class T>
  requires std::is_enum_v<T>
  struct convert<T> {
    const msgpack::object& operator()(const msgpack::object& o, T& x) const {
      x = static_cast<T>(o.as<std::underlying_type_t<T>>());
      return o;
    }
  };

  /// nil, bool, int, float, str; a JSON document is bin, so that it differs from text.
  template <>
  struct pack<slipway::messages::value> {
    template <typename Stream>
    packer<Stream>& operator()(packer<Stream>& o, const slipway::messages::value& v) const {
      switch (v.index()) {
        case 0:
          return o.pack_nil();
        case 1:
          return o.pack(std::get<bool>(v));
        case 2:
          return o.pack(std::get<std::int64_t>(v));
        case 3: {
          // By hand: the library packs 2.0 as the integer 2, which would come back as another kind of value.
          const auto bits = std::bit_cast<std::uint64_t>(std::get<double>(v));
          char bytes[9] = {'\xcb'};
          for (unsigned i = 0; i < 8; ++i) {
            bytes[1 + i] = static_cast<char>(bits >> (56U - 8U * i));
          }
          return o.pack_str_body(bytes, sizeof bytes);
        }
        case 4:
          return o.pack(std::get<std::string>(v));
        default: {
          const auto& text = std::get<slipway::messages::json_text>(v).text;
          o.pack_bin(static_cast<std::uint32_t>(text.size()));
          return o.pack_bin_body(text.data(), static_cast<std::uint32_t>(text.size()));
        }
      }
    }
  };

  template <>
  struct convert<slipway::messages::value> {
    const msgpack::object& operator()(const msgpack::object& o, slipway::messages::value& v) const {
      switch (o.type) {
        case msgpack::type::NIL:
          v = slipway::messages::null{};
          break;
        case msgpack::type::BOOLEAN:
          v = o.via.boolean;
          break;
        case msgpack::type::POSITIVE_INTEGER:
        case msgpack::type::NEGATIVE_INTEGER:
          v = o.as<std::int64_t>();
          break;
        case msgpack::type::FLOAT32:
        case msgpack::type::FLOAT64:
          v = o.via.f64;
          break;
        case msgpack::type::STR:
          v = std::string(o.via.str.ptr, o.via.str.size);
          break;
        case msgpack::type::BIN:
          v = slipway::messages::json_text{std::string(o.via.bin.ptr, o.via.bin.size)};
          break;
        default:
          throw msgpack::type_error();
      }
      return o;
    }
  };

  }  // namespace adaptor
}
}  // namespace msgpack

namespace slipway::messages {

/// Limits for bytes from outside: lengths are checked against the input, depth and counts against these.
constexpr std::size_t unpack_depth_max = 32;
constexpr std::size_t unpack_items_max = 1'000'000;

/// Appends `x` as msgpack to `out`.
template <class T>
void pack_to(std::string& out, const T& x) {
  struct sink {
    std::string& out;
    void write(const char* data, std::size_t size) { out.append(data, size); }
  } s{out};
  msgpack::packer<sink> p(s);
  p.pack(x);
}

template <class T>
std::string pack(const T& x) {
  std::string out;
  pack_to(out, x);
  return out;
}

/// Decodes untrusted bytes. Errors: corrupt. Reads one object; bytes after it are an error.
template <class T>
result<T> unpack(std::string_view bytes) {
  try {
    // A declared length can never exceed what the input can hold, so nothing is allocated past the input's size.
    const auto limit = std::min(bytes.size(), unpack_items_max);
    const msgpack::unpack_limit
      limits(limit, limit, bytes.size(), bytes.size(), bytes.size(), unpack_depth_max);
    std::size_t offset = 0;
    const auto handle = msgpack::unpack(
      bytes.data(),
      bytes.size(),
      offset,
      [](msgpack::type::object_type, std::size_t, void*) {
        return true;
      },  // reference, do not copy
      nullptr,
      limits);
    if (offset != bytes.size()) {
      return fail(errc::corrupt, "trailing bytes after a msgpack object");
    }
    T x{};
    handle.get().convert(x);
    return x;
  } catch (const std::exception& e) {
    return fail(errc::corrupt, std::string("not a valid message: ") + e.what());
  }
}

}  // namespace slipway::messages
