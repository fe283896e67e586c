#include "gateways/api/odata/text_functions.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace slipway::gateways::odata {

using messages::value;

namespace {

std::string_view text_of(const value& v) {
  if (const auto* s = std::get_if<std::string>(&v)) {
    return *s;
  }
  const auto* j = std::get_if<messages::json_text>(&v);
  return j != nullptr ? std::string_view(j->text) : std::string_view{};
}

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
}

std::int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), begins_character);
}

/// Byte at which character number `n` begins, the size when there are fewer.
std::size_t offset_of(std::string_view text, std::int64_t n) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (begins_character(text[i]) && n-- <= 0) {
      return i;
    }
  }
  return text.size();
}

std::int64_t whole(const value& v) {
  if (const auto* d = std::get_if<double>(&v)) {
    return static_cast<std::int64_t>(std::clamp(*d, -1e15, 1e15));
  }
  return messages::as_int(v);
}

value substring(std::string_view text, const value& from, const value& count) {
  const auto begin = offset_of(text, std::max<std::int64_t>(whole(from), 0));
  text.remove_prefix(begin);
  if (!messages::is_null(count)) {
    text = text.substr(0, offset_of(text, std::max<std::int64_t>(whole(count), 0)));
  }
  return std::string(text);
}

std::string mapped(std::string_view text, char first, char last, int by) {
  std::string out(text);
  for (auto& c : out) {
    c = c >= first && c <= last ? static_cast<char>(c + by) : c;
  }
  return out;
}

value trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    return std::string{};
  }
  return std::string(text.substr(begin, text.find_last_not_of(' ') + 1 - begin));
}

value index_of(std::string_view text, std::string_view part) {
  const auto at = text.find(part);
  return at == std::string_view::npos ? value{std::int64_t{-1}}
                                      : value{characters(text.substr(0, at))};
}

tl::unexpected<messages::error> too_long() {
  return messages::fail(
    messages::errc::invalid_argument,
    "the query builds a text of more than " + std::to_string(built_text_bytes_max) + " bytes");
}

messages::result<value>
replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  for (;;) {
    const auto at = what.empty() ? std::string_view::npos : text.find(what);
    out += text.substr(0, at);
    if (at == std::string_view::npos) {
      break;
    }
    out += with;
    text.remove_prefix(at + what.size());
    if (out.size() > built_text_bytes_max) {
      return too_long();
    }
  }
  return value{std::move(out)};
}

}  // namespace

messages::result<value> apply_text_function(op what, const std::array<const value*, 3>& arguments) {
  const auto a = text_of(*arguments[0]);
  const auto b = text_of(*arguments[1]);
  switch (what) {
    case op::startswith:
      return value{a.starts_with(b)};
    case op::endswith:
      return value{a.ends_with(b)};
    case op::contains:
      return value{a.find(b) != std::string_view::npos};
    case op::tolower:
      return value{mapped(a, 'A', 'Z', 'a' - 'A')};
    case op::toupper:
      return value{mapped(a, 'a', 'z', 'A' - 'a')};
    case op::length:
      return value{characters(a)};
    case op::indexof:
      return index_of(a, b);
    case op::substring:
      return substring(a, *arguments[1], *arguments[2]);
    case op::trim:
      return trimmed(a);
    case op::concat:
      if (a.size() + b.size() > built_text_bytes_max) {
        return too_long();
      }
      return value{std::string(a).append(b)};
    default:
      return replaced(a, b, text_of(*arguments[2]));
  }
}

}  // namespace slipway::gateways::odata
