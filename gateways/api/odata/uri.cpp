#include "gateways/api/odata/uri.hpp"

#include <algorithm>

namespace slipway::gateways::odata {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// The byte that begins at `i`, decoded when it is an escape; `size` is how many raw bytes it takes. A broken escape stands for
/// itself here: decoding refuses it later.
struct raw_byte {
  char c;
  std::size_t size;
};

raw_byte byte_at(std::string_view raw, std::size_t i) {
  if (raw[i] == '%' && i + 2 < raw.size() && hex(raw[i + 1]) >= 0 && hex(raw[i + 2]) >= 0) {
    return {static_cast<char>(hex(raw[i + 1]) * 16 + hex(raw[i + 2])), 3};
  }
  return {raw[i], 1};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto n = static_cast<unsigned char>(text.front()) < 0x80 ? 1 : utf8_length(text);
    if (n == 0 || text.front() == '\0') {
      return false;
    }
    text.remove_prefix(n);
  }
  return true;
}

/// Where the option that begins at `from` ends.
std::size_t option_end(std::string_view raw, std::size_t from) {
  const auto first = byte_at(raw, from).c;
  if (first != '$' && first != '@') {
    return std::min(raw.find('&', from), raw.size());
  }
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = from; i < raw.size();) {
    const auto b = byte_at(raw, i);
    if (b.c == '\'') {
      quoted = !quoted;
    } else if (!quoted && b.c == '(') {
      ++depth;
    } else if (!quoted && b.c == ')') {
      --depth;
    } else if (raw[i] == '&' && !quoted && depth <= 0) {
      return i;
    }
    i += b.size;
  }
  return raw.size();
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto next = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned b = byte(0);
  if (text.empty()) {
    return 0;
  }
  if (b < 0x80) {
    return 1;
  }
  if (b >= 0xc2 && b < 0xe0) {
    return next(1) ? 2 : 0;
  }
  if (b >= 0xe0 && b < 0xf0) {
    // No overlong forms and no surrogates.
    const bool second = b == 0xe0 ? byte(1) >= 0xa0 : b != 0xed || byte(1) < 0xa0;
    return second && next(1) && next(2) ? 3 : 0;
  }
  if (b >= 0xf0 && b < 0xf5) {
    const bool second = b == 0xf0 ? byte(1) >= 0x90 : b != 0xf4 || byte(1) < 0x90;
    return second && next(1) && next(2) && next(3) ? 4 : 0;
  }
  return 0;
}

result<std::string> percent_decode(std::string_view raw, bool plus_is_space) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size();) {
    const auto b = byte_at(raw, i);
    if (raw[i] == '%' && b.size == 1) {
      return fail(errc::invalid_argument, "broken percent escape at position " + std::to_string(i));
    }
    out += raw[i] == '+' && plus_is_space ? ' ' : b.c;
    i += b.size;
  }
  if (!is_utf8(out)) {
    return fail(errc::invalid_argument, "the address is not UTF-8 text");
  }
  return out;
}

result<std::vector<std::pair<std::string, std::string>>> split_query(
  std::string_view raw,
  std::size_t options_max) {
  std::vector<std::pair<std::string, std::string>> options;
  for (std::size_t at = 0; at < raw.size();) {
    if (raw[at] == '&') {
      ++at;
      continue;
    }
    const auto end = option_end(raw, at);
    const auto option = raw.substr(at, end - at);
    const auto equals = option.find('=');
    auto name = percent_decode(option.substr(0, equals), true);
    auto value =
      percent_decode(equals == std::string_view::npos ? "" : option.substr(equals + 1), true);
    if (!name) {
      return tl::unexpected(name.error());
    }
    if (!value) {
      return tl::unexpected(messages::with_context(*name, value.error()));
    }
    if (options.size() == options_max) {
      return fail(
        errc::invalid_argument,
        "more than " + std::to_string(options_max) + " query options");
    }
    options.emplace_back(std::move(*name), std::move(*value));
    at = end;
  }
  return options;
}

}  // namespace slipway::gateways::odata
