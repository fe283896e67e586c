#include "storage/wire.hpp"

#include <bit>

namespace slipway::storage {

bool wire_reader::take(std::size_t n, std::uint64_t& big_endian) {
  if (left() < n) {
    return false;
  }
  big_endian = 0;
  for (std::size_t i = 0; i < n; ++i) {
    big_endian = big_endian << 8U | *p_++;
  }
  return true;
}

bool wire_reader::read_integer(std::uint64_t& bits, bool& negative) {
  negative = false;
  if (p_ == end_) {
    return false;
  }
  const unsigned b = *p_++;
  if (b <= 0x7f) {
    bits = b;
    return true;
  }
  if (b >= 0xe0) {
    bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(b) - 256);
    negative = true;
    return true;
  }
  if (b >= 0xcc && b <= 0xcf) {
    return take(std::size_t{1} << (b - 0xcc), bits);
  }
  if (b >= 0xd0 && b <= 0xd3) {
    const auto size = std::size_t{1} << (b - 0xd0);
    if (!take(size, bits)) {
      return false;
    }
    const auto shift = 64 - 8 * size;
    const auto n = static_cast<std::int64_t>(bits << shift) >> shift;
    bits = static_cast<std::uint64_t>(n);
    negative = n < 0;
    return true;
  }
  return false;
}

bool wire_reader::read_array(std::uint32_t& size) {
  if (p_ == end_) {
    return false;
  }
  const unsigned b = *p_++;
  std::uint64_t n = b & 0x0fU;
  if ((b & 0xf0U) != 0x90) {
    if (b != 0xdc && b != 0xdd) {
      return false;
    }
    if (!take(b == 0xdc ? 2 : 4, n)) {
      return false;
    }
  }
  size = static_cast<std::uint32_t>(n);
  return n <= left();  // each element has a byte at least
}

bool wire_reader::read_scalar(wire_scalar& s) {
  if (p_ == end_) {
    return false;
  }
  const unsigned b = *p_;
  std::uint64_t size = 0;
  if (b == 0xc0) {
    ++p_;
    s.kind = wire_scalar::null;
    return true;
  }
  if (b == 0xc2 || b == 0xc3) {
    ++p_;
    s.kind = wire_scalar::boolean;
    s.boolean_value = b == 0xc3;
    return true;
  }
  if (b == 0xca || b == 0xcb) {
    ++p_;
    s.kind = wire_scalar::number;
    if (!take(b == 0xca ? 4 : 8, size)) {
      return false;
    }
    s.number_value = b == 0xca
                       ? static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(size)))
                       : std::bit_cast<double>(size);
    return true;
  }
  const bool binary = b >= 0xc4 && b <= 0xc6;
  const bool text = (b & 0xe0U) == 0xa0 || (b >= 0xd9 && b <= 0xdb);
  if (binary || text) {
    ++p_;
    size = b & 0x1fU;
    if ((b & 0xe0U) != 0xa0 && !take(std::size_t{1} << (binary ? b - 0xc4 : b - 0xd9), size)) {
      return false;
    }
    if (size > left()) {
      return false;
    }
    s.kind = binary ? wire_scalar::binary : wire_scalar::text;
    s.bytes = {position(), static_cast<std::size_t>(size)};
    p_ += size;
    return true;
  }
  s.kind = wire_scalar::integer;
  bool negative = false;
  if (
    !read_integer(size, negative)
    || (!negative && size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))) {
    return false;
  }
  s.integer_value = static_cast<std::int64_t>(size);
  return true;
}

bool wire_reader::read(messages::value& v) {
  wire_scalar s;
  if (!read_scalar(s)) {
    return false;
  }
  switch (s.kind) {
    case wire_scalar::null:
      v = messages::null{};
      break;
    case wire_scalar::boolean:
      v = s.boolean_value;
      break;
    case wire_scalar::integer:
      v = s.integer_value;
      break;
    case wire_scalar::number:
      v = s.number_value;
      break;
    case wire_scalar::text:
      if (auto* old = std::get_if<std::string>(&v)) {
        old->assign(s.bytes);
      } else {
        v.emplace<std::string>(s.bytes);
      }
      break;
    case wire_scalar::binary:
      v = messages::json_text{std::string(s.bytes)};
      break;
  }
  return true;
}

bool wire_reader::read(std::string& text) {
  wire_scalar s;
  if (!read_scalar(s) || s.kind != wire_scalar::text) {
    return false;
  }
  text.assign(s.bytes);
  return true;
}

bool wire_reader::read(bool& b) {
  wire_scalar s;
  if (!read_scalar(s) || s.kind != wire_scalar::boolean) {
    return false;
  }
  b = s.boolean_value;
  return true;
}

bool wire_reader::skip() {
  // Objects still to step over; each needs a byte at least, so this cannot outgrow the input.
  std::uint64_t pending = 1;
  while (pending > 0) {
    --pending;
    if (p_ == end_) {
      return false;
    }
    const unsigned b = *p_;
    std::uint64_t n = 0;
    if ((b & 0xf0U) == 0x90 || b == 0xdc || b == 0xdd) {
      std::uint32_t size = 0;
      if (!read_array(size)) {
        return false;
      }
      pending += size;
    } else if ((b & 0xf0U) == 0x80 || b == 0xde || b == 0xdf) {
      ++p_;
      n = b & 0x0fU;
      if ((b & 0xf0U) != 0x80 && !take(b == 0xde ? 2 : 4, n)) {
        return false;
      }
      pending += 2 * n;
    } else if (b >= 0xd4 && b <= 0xd8) {  // fixext: one byte of type
      n = 2 + (std::uint64_t{1} << (b - 0xd4));
      if (n > left()) {
        return false;
      }
      p_ += n;
    } else if (b >= 0xc7 && b <= 0xc9) {
      ++p_;
      if (!take(std::size_t{1} << (b - 0xc7), n) || n + 1 > left()) {
        return false;
      }
      p_ += n + 1;
    } else if (b == 0xcf) {
      if (left() < 9) {
        return false;
      }
      p_ += 9;  // may be too large for a scalar of ours
    } else {
      wire_scalar s;
      if (!read_scalar(s)) {
        return false;
      }
    }
    if (pending > left()) {
      return false;
    }
  }
  return true;
}

}  // namespace slipway::storage
