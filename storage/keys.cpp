#include "storage/keys.hpp"

#include "runtime/crypto.hpp"
#include "storage/wire.hpp"

#include <bit>

namespace slipway::storage::keys {
namespace {

enum tag : std::uint8_t {
  tag_null = 1,
  tag_false = 2,
  tag_true = 3,
  tag_integer = 4,
  tag_float = 5,
  tag_text = 6,
  tag_json = 7,
};

// A zero byte becomes 00 ff, the end is 00 01, or 00 02 and a hash: whatever follows sorts after the shorter text.
void append_escaped(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    out.push_back(c);
    if (c == '\0') {
      out.push_back('\xff');
    }
  }
}

void append_text(std::string& out, tag t, std::string_view text) {
  append_u8(out, t);
  append_escaped(out, text.substr(0, index_text_bytes_max));
  out.push_back('\0');
  if (text.size() <= index_text_bytes_max) {
    out.push_back('\x01');
  } else {
    out.push_back('\x02');
    out += runtime::sha256_hex(text);
  }
}

void append_integer(std::string& out, std::int64_t n) {
  append_u8(out, tag_integer);
  append_u64(out, static_cast<std::uint64_t>(n) ^ (1ULL << 63U));
}

void append_float(std::string& out, double d) {
  append_u8(out, tag_float);
  const auto bits = std::bit_cast<std::uint64_t>(d == 0 ? 0.0 : d);  // minus zero equals zero
  append_u64(out, (bits >> 63U) != 0 ? ~bits : bits | (1ULL << 63U));
}

}  // namespace

void append_u16(std::string& out, std::uint16_t n) {
  const char bytes[2] = {static_cast<char>(n >> 8U), static_cast<char>(n & 255U)};
  out.append(bytes, sizeof bytes);
}

void append_u64(std::string& out, std::uint64_t n) {
  n = __builtin_bswap64(n);
  out.append(reinterpret_cast<const char*>(&n), sizeof n);
}

std::uint16_t read_u16(std::string_view bytes) {
  const auto high = static_cast<unsigned char>(bytes[0]);
  return static_cast<std::uint16_t>(high << 8U | static_cast<unsigned char>(bytes[1]));
}

std::uint64_t read_u64(std::string_view bytes) {
  std::uint64_t n = 0;
  __builtin_memcpy(&n, bytes.data(), sizeof n);
  return __builtin_bswap64(n);
}

void append_log(std::string& out, int partition, std::uint64_t seq) {
  append_u8(out, static_cast<std::uint8_t>(partition));
  append_u64(out, seq);
}

void append_entity(std::string& out, messages::entity_ref entity) {
  append_u8(out, static_cast<std::uint8_t>(entity.kind));
  append_u64(out, static_cast<std::uint64_t>(entity.id));
}

messages::entity_ref read_entity(std::string_view bytes) {
  return {
    static_cast<messages::entity_kind>(bytes[0]),
    static_cast<std::int64_t>(read_u64(bytes.substr(1)))};
}

void append_row(std::string& out, std::uint16_t resource, std::int64_t id) {
  append_u16(out, resource);
  append_u64(out, static_cast<std::uint64_t>(id));
}

void append_index(std::string& out, std::uint16_t resource, std::uint16_t index) {
  append_u16(out, resource);
  append_u16(out, index);
}

void append_value(std::string& out, const messages::value& v) {
  switch (v.index()) {
    case 0:
      return append_u8(out, tag_null);
    case 1:
      return append_u8(out, std::get<bool>(v) ? tag_true : tag_false);
    case 2:
      return append_integer(out, std::get<std::int64_t>(v));
    case 3:
      return append_float(out, std::get<double>(v));
    case 4:
      return append_text(out, tag_text, std::get<std::string>(v));
    default:
      return append_text(out, tag_json, std::get<messages::json_text>(v).text);
  }
}

bool append_element(std::string& out, std::string_view msgpack) {
  wire_reader in(msgpack);
  wire_scalar s;
  if (!in.read_scalar(s)) {
    return false;
  }
  switch (s.kind) {
    case wire_scalar::null:
      append_u8(out, tag_null);
      break;
    case wire_scalar::boolean:
      append_u8(out, s.boolean_value ? tag_true : tag_false);
      break;
    case wire_scalar::integer:
      append_integer(out, s.integer_value);
      break;
    case wire_scalar::number:
      append_float(out, s.number_value);
      break;
    case wire_scalar::text:
      append_text(out, tag_text, s.bytes);
      break;
    case wire_scalar::binary:
      append_text(out, tag_json, s.bytes);
      break;
  }
  return true;
}

void append_text_prefix(std::string& out, std::string_view prefix) {
  append_u8(out, tag_text);
  append_escaped(out, prefix.substr(0, index_text_bytes_max));
}

}  // namespace slipway::storage::keys
