#include "gateways/git/packets.hpp"

#include <charconv>
#include <cstdint>

namespace slipway::gateways::git {

namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t packet_bytes_max = 65'516;

}  // namespace

std::string packet(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  text = text.substr(0, packet_bytes_max);
  const auto size = text.size() + length_bytes;
  std::string out;
  for (int shift = 12; shift >= 0; shift -= 4) {
    out += digits[(size >> static_cast<unsigned>(shift)) & 0xFU];
  }
  return out.append(text);
}

std::string remark_packet(std::string_view text) {
  return packet("\x02" + std::string(text));
}

bool takes_remarks(std::string_view first_bytes) {
  std::uint32_t size = 0;
  const auto head = first_bytes.substr(0, length_bytes);
  const auto read = std::from_chars(head.data(), head.data() + head.size(), size, 16);
  if (
    head.size() < length_bytes || read.ptr != head.data() + head.size() || size <= length_bytes
    || size > first_bytes.size()) {
    return false;
  }
  const auto frame = first_bytes.substr(length_bytes, size - length_bytes);
  const auto zero = frame.find('\0');
  return zero != std::string_view::npos
         && frame.find("side-band-64k", zero) != std::string_view::npos;
}

}  // namespace slipway::gateways::git
