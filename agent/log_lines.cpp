#include "agent/log_lines.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace slipway::agent {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;
constexpr std::size_t seconds_chars = 19;  // 2026-11-23T08:00:00
constexpr std::size_t time_chars_max = 40;
constexpr std::size_t fraction_digits = 9;

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) {
    return std::nullopt;
  }
  int n = 0;
  const auto* end = text.data() + at + count;
  const auto [stop, failed] = std::from_chars(text.data() + at, end, n);
  return failed == std::errc{} && stop == end && n >= 0 ? std::optional(n) : std::nullopt;
}

/// Seconds that a zone is ahead of UTC: `Z` or `+01:00`.
std::optional<int> zone_seconds(std::string_view zone) {
  if (zone == "Z") {
    return 0;
  }
  const auto hours = digits(zone, 1, 2);
  const auto minutes = digits(zone, 4, 2);
  if (
    zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || !hours
    || !minutes) {
    return std::nullopt;
  }
  const int s = *hours * 3600 + *minutes * 60;
  return zone[0] == '-' ? -s : s;
}

std::optional<std::int64_t> parse_time(std::string_view t) {
  const auto year = digits(t, 0, 4);
  const auto month = digits(t, 5, 2);
  const auto day = digits(t, 8, 2);
  const auto hour = digits(t, 11, 2);
  const auto minute = digits(t, 14, 2);
  const auto second = digits(t, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || t[4] != '-' || t[10] != 'T') {
    return std::nullopt;
  }
  auto rest = t.substr(seconds_chars);
  std::int64_t ns = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::size_t n = 0;
    for (; n < rest.size() && rest[n] >= '0' && rest[n] <= '9'; ++n) {
      ns = n < fraction_digits ? ns * 10 + (rest[n] - '0') : ns;
    }
    for (auto k = n; k < fraction_digits; ++k) {
      ns *= 10;
    }
    rest.remove_prefix(n);
  }
  const auto zone = zone_seconds(rest);
  if (!zone) {
    return std::nullopt;
  }
  std::tm utc{};
  utc.tm_year = *year - 1900;
  utc.tm_mon = *month - 1;
  utc.tm_mday = *day;
  utc.tm_hour = *hour;
  utc.tm_min = *minute;
  utc.tm_sec = *second;
  return (static_cast<std::int64_t>(::timegm(&utc)) - *zone) * ns_per_second + ns;
}

}  // namespace

std::optional<std::int64_t> take_log_time(std::string_view& line) {
  const auto space = line.substr(0, time_chars_max).find(' ');
  if (space == std::string_view::npos || space <= seconds_chars) {
    return std::nullopt;
  }
  const auto time = parse_time(line.substr(0, space));
  if (time) {
    line.remove_prefix(space + 1);
  }
  return time;
}

std::string_view cut_log_message(std::string_view text) {
  if (text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  if (text.size() <= log_message_chars_max) {
    return text;
  }
  std::size_t chars = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U;
    if (begins && ++chars > log_message_chars_max) {
      return text.substr(0, i);
    }
  }
  return text.substr(0, 4 * log_message_chars_max);  // not text at all, or it fits
}

void log_lines::add(std::string& part, std::string_view bytes) {
  part += bytes.substr(0, log_line_bytes_max - std::min(part.size(), log_line_bytes_max));
}

bool log_lines::is_new(std::int64_t time_ns) {
  if (behind_) {
    if (time_ns < at_.time_ns) {
      return false;
    }
    if (time_ns == at_.time_ns && passed_ < at_.lines) {
      ++passed_;
      return false;
    }
    behind_ = false;
  }
  at_ = time_ns == at_.time_ns ? log_position{time_ns, at_.lines + 1} : log_position{time_ns, 1};
  return true;
}

void log_lines::complete(bool error, std::int64_t now_ns, const taker& take) {
  auto& part = parts_[error ? 1 : 0];
  std::string_view text = part;
  const auto time = take_log_time(text).value_or(now_ns);
  if (is_new(time)) {
    take({time, error, cut_log_message(text)});
  }
  part.clear();
  if (part.capacity() > log_message_chars_max) {
    part.shrink_to_fit();
  }
}

void log_lines::feed(const log_bytes& b, std::int64_t now_ns, const taker& take) {
  auto& part = parts_[b.error ? 1 : 0];
  auto rest = b.bytes;
  if (b.begins && !part.empty()) {
    // A long line comes in several pieces, and each has the time before it.
    (void)take_log_time(rest);
  }
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    add(part, rest.substr(0, end));
    if (end == std::string_view::npos) {
      return;
    }
    rest.remove_prefix(end + 1);
    complete(b.error, now_ns, take);
  }
}

void log_lines::finish(std::int64_t now_ns, const taker& take) {
  for (const bool error : {false, true}) {
    if (!parts_[error ? 1 : 0].empty()) {
      complete(error, now_ns, take);
    }
  }
}

}  // namespace slipway::agent
