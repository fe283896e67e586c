#include "gateways/api/odata/date.hpp"

#include <algorithm>
#include <array>

namespace slipway::gateways::odata {
namespace {

constexpr std::int64_t day_ms = 86'400'000;

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back (Howard Hinnant, "chrono-compatible low-level
/// date algorithms").
constexpr std::int64_t days_of(std::int64_t y, std::int64_t m, std::int64_t d) {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const std::int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146'097 + doe - 719'468;
}

struct calendar_day {
  std::int64_t year, month, day;
};

constexpr calendar_day day_of(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t doe = days - era * 146'097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  return {yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1};
}

constexpr bool leap(std::int64_t y) {
  return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

constexpr std::int64_t days_in(std::int64_t y, std::int64_t m) {
  constexpr std::array<std::int64_t, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return m == 2 && leap(y) ? 29 : days[static_cast<std::size_t>(m - 1)];
}

/// Takes pieces off the front of a text.
struct reader {
  std::string_view rest;
  bool good = true;

  std::int64_t digits(std::size_t n) {
    std::int64_t x = 0;
    if (rest.size() < n) {
      good = false;
      return 0;
    }
    for (std::size_t i = 0; i < n; ++i) {
      good = good && rest[i] >= '0' && rest[i] <= '9';
      x = x * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(n);
    return good ? x : 0;
  }
  bool accept(char c) {
    if (rest.empty() || rest.front() != c) {
      return false;
    }
    rest.remove_prefix(1);
    return true;
  }
  void expect(char c) { good = accept(c) && good; }

  /// Fraction of a second of any length, cut to ms.
  std::int64_t fraction() {
    std::int64_t ms = 0;
    std::int64_t unit = 100;
    const auto before = rest.size();
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      ms += (rest.front() - '0') * unit;
      unit /= 10;
      rest.remove_prefix(1);
    }
    good = good && rest.size() != before;
    return ms;
  }
};

std::int64_t read_time(reader& in) {
  const auto hour = in.digits(2);
  in.expect(':');
  const auto minute = in.digits(2);
  std::int64_t second = 0;
  std::int64_t ms = 0;
  if (in.accept(':')) {
    second = in.digits(2);
    if (in.accept('.')) {
      ms = in.fraction();
    }
  }
  in.good = in.good && hour < 24 && minute < 60 && second < 60;
  return ((hour * 60 + minute) * 60 + second) * 1000 + ms;
}

std::int64_t read_offset(reader& in) {
  if (in.rest.empty() || in.accept('Z') || in.accept('z')) {
    return 0;
  }
  const bool behind = in.accept('-');
  if (!behind) {
    in.expect('+');
  }
  const auto hour = in.digits(2);
  in.accept(':');
  const auto minute = in.rest.empty() ? 0 : in.digits(2);
  in.good = in.good && hour < 24 && minute < 60;
  return (behind ? -1 : 1) * (hour * 60 + minute) * 60'000;
}

void append_digits(std::string& out, std::int64_t x, std::size_t n) {
  const auto at = out.size();
  out.append(n, '0');
  for (std::size_t i = n; i > 0 && x > 0; --i, x /= 10) {
    out[at + i - 1] = static_cast<char>('0' + x % 10);
  }
}

}  // namespace

std::optional<std::int64_t> parse_date(std::string_view text) {
  reader in{text};
  const auto year = in.digits(4);
  in.expect('-');
  const auto month = in.digits(2);
  in.expect('-');
  const auto day = in.digits(2);
  if (!in.good || month < 1 || month > 12 || day < 1 || day > days_in(year, month)) {
    return std::nullopt;
  }
  std::int64_t ms = days_of(year, month, day) * day_ms;
  if (in.accept('T') || in.accept('t') || in.accept(' ')) {
    ms += read_time(in);
    ms -= read_offset(in);
  }
  if (!in.good || !in.rest.empty() || ms < date_min || ms > date_max) {
    return std::nullopt;
  }
  return ms;
}

void append_date(std::string& out, std::int64_t ms) {
  // Stored dates were checked on their way in; a wild one must still not give wrong JSON.
  ms = std::clamp(ms, date_min, date_max);
  const std::int64_t days = ms >= 0 ? ms / day_ms : -((day_ms - 1 - ms) / day_ms);
  const std::int64_t rest = ms - days * day_ms;
  const auto d = day_of(days);
  append_digits(out, d.year, 4);
  out += '-';
  append_digits(out, d.month, 2);
  out += '-';
  append_digits(out, d.day, 2);
  out += 'T';
  append_digits(out, rest / 3'600'000, 2);
  out += ':';
  append_digits(out, rest / 60'000 % 60, 2);
  out += ':';
  append_digits(out, rest / 1000 % 60, 2);
  out += '.';
  append_digits(out, rest % 1000, 3);
  out += 'Z';
}

}  // namespace slipway::gateways::odata
