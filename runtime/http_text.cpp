#include "runtime/http_text.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>

namespace slipway::runtime {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_unreserved(char c) {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
         || c == '~';
}

template <class Number>
bool parse_number(std::string_view s, Number& out) {
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), out);
  return ec == std::errc() && end == s.data() + s.size() && !s.empty();
}

constexpr std::array<std::string_view, 7>
  day_names{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12>
  month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Whether `key` is `name`, `name[]` or `name[7]`.
bool names_member(std::string_view key, std::string_view name) {
  if (!key.starts_with(name)) {
    return false;
  }
  key.remove_prefix(name.size());
  if (key.empty()) {
    return true;
  }
  if (key.front() != '[' || key.back() != ']') {
    return false;
  }
  const auto index = key.substr(1, key.size() - 2);
  return index.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) {
      return false;
    }
  }
  return true;
}

std::string ascii_lower(std::string_view s) {
  std::string out(s);
  for (auto& c : out) {
    c = lower(c);
  }
  return out;
}

std::string_view trim_space(std::string_view s) {
  const auto first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string> percent_decode(std::string_view s, bool plus_is_space) {
  std::string out;
  out.reserve(s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (s[i] != '%') {
      out += s[i];
    } else {
      const int high = i + 2 < s.size() ? hex_digit(s[i + 1]) : -1;
      const int low = i + 2 < s.size() ? hex_digit(s[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return std::nullopt;
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view s) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(s.size());
  for (const char c : s) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

std::optional<query_pairs> parse_query(std::string_view query, std::size_t pairs_max) {
  query_pairs out;
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (pair.empty()) {
      continue;
    }
    const auto equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(
      equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1),
      true);
    if (!name || !value || out.size() == pairs_max) {
      return std::nullopt;
    }
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

std::optional<std::string_view> query_value(const query_pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> query_values(const query_pairs& pairs, std::string_view name) {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : pairs) {
    if (names_member(key, name)) {
      out.push_back(value);
    }
  }
  return out;
}

std::string http_date(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm t{};
  ::gmtime_r(&seconds, &t);
  std::array<char, 64> text{};
  // Not strftime: names must not depend on the locale.
  const int n = std::snprintf(
    text.data(),
    text.size(),
    "%s, %02d %s %04d %02d:%02d:%02d GMT",
    day_names[static_cast<std::size_t>(t.tm_wday)].data(),
    t.tm_mday,
    month_names[static_cast<std::size_t>(t.tm_mon)].data(),
    t.tm_year + 1900,
    t.tm_hour,
    t.tm_min,
    t.tm_sec);
  return {text.data(), static_cast<std::size_t>(n)};
}

std::optional<std::int64_t> parse_http_date(std::string_view s) {
  // Sun, 06 Nov 1994 08:49:37 GMT
  if (s.size() != 29 || s.substr(25) != " GMT" || s[3] != ',' || s[19] != ':' || s[22] != ':') {
    return std::nullopt;
  }
  std::tm t{};
  t.tm_mon = -1;
  for (std::size_t m = 0; m < month_names.size(); ++m) {
    if (s.substr(8, 3) == month_names[m]) {
      t.tm_mon = static_cast<int>(m);
    }
  }
  if (
    t.tm_mon < 0 || !parse_number(s.substr(5, 2), t.tm_mday)
    || !parse_number(s.substr(12, 4), t.tm_year) || !parse_number(s.substr(17, 2), t.tm_hour)
    || !parse_number(s.substr(20, 2), t.tm_min) || !parse_number(s.substr(23, 2), t.tm_sec)) {
    return std::nullopt;
  }
  t.tm_year -= 1900;
  const auto ms = static_cast<std::int64_t>(::timegm(&t)) * 1000;
  // Whatever timegm normalised (31 February) or we overlooked (a wrong day's name) does not come back the same.
  return http_date(ms) == s ? std::optional(ms) : std::nullopt;
}

std::vector<std::string_view> header_tokens(std::string_view field) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= field.size(); ++i) {
    if (i < field.size() && quoted && field[i] == '\\') {
      ++i;
    } else if (i < field.size() && field[i] == '"') {
      quoted = !quoted;
    } else if (i >= field.size() || (field[i] == ',' && !quoted)) {
      const auto member = trim_space(field.substr(begin, i - begin));
      if (!member.empty()) {
        out.push_back(member);
      }
      begin = i + 1;
    }
  }
  if (begin < field.size()) {  // a backslash was the last byte
    out.push_back(trim_space(field.substr(begin)));
  }
  return out;
}

bool has_token(std::string_view field, std::string_view token) {
  for (const auto member : header_tokens(field)) {
    if (iequals(trim_space(member.substr(0, member.find(';'))), token)) {
      return true;
    }
  }
  return false;
}

std::optional<std::pair<std::string, std::string_view>> authorization(std::string_view field) {
  field = trim_space(field);
  const auto space = field.find(' ');
  if (space == 0 || space == std::string_view::npos) {
    return std::nullopt;
  }
  return std::pair(ascii_lower(field.substr(0, space)), trim_space(field.substr(space + 1)));
}

range_kind parse_range(std::string_view field, std::uint64_t size, byte_range& out) {
  field = trim_space(field);
  if (field.size() < 7 || !iequals(field.substr(0, 6), "bytes=")) {
    return range_kind::none;
  }
  field = trim_space(field.substr(6));
  const auto dash = field.find('-');
  if (dash == std::string_view::npos || field.find(',') != std::string_view::npos) {
    return range_kind::none;
  }
  const auto first = field.substr(0, dash);
  const auto last = field.substr(dash + 1);
  std::uint64_t a = 0;
  std::uint64_t b = std::numeric_limits<std::uint64_t>::max();
  if (first.empty()) {
    if (!parse_number(last, b)) {
      return range_kind::none;
    }
    if (b == 0 || size == 0) {
      return range_kind::unsatisfiable;
    }
    out = {b >= size ? 0 : size - b, size - 1};
    return range_kind::satisfiable;
  }
  if (!parse_number(first, a) || (!last.empty() && !parse_number(last, b)) || b < a) {
    return range_kind::none;
  }
  if (a >= size) {
    return range_kind::unsatisfiable;
  }
  out = {a, b < size ? b : size - 1};
  return range_kind::satisfiable;
}

}  // namespace slipway::runtime
