#include "cli/console.hpp"

#include "cli/exit_code.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <ostream>

namespace slipway::cli {

namespace {

/// Characters, not bytes: names may hold any UTF-8.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string padded(std::string text, std::size_t width) {
  const auto has = width_of(text);
  text.append(width > has ? width - has : 0, ' ');
  return text;
}

colour colour_of_state(std::string_view state) {
  static constexpr std::array good{"online", "success", "idle", "operational", "Running", "yes"};
  static constexpr std::array bad{"offline", "failed", "error", "disconnected", "cancelled"};
  if (std::find(good.begin(), good.end(), state) != good.end()) {
    return colour::green;
  }
  if (std::find(bad.begin(), bad.end(), state) != bad.end()) {
    return colour::red;
  }
  return state == "-" ? colour::dim : colour::yellow;
}

/// Length of the control sequence `ESC [ ... x` that the text starts with, 0 when it does not (ECMA-48, 5.4).
std::size_t control_sequence(std::string_view text) {
  constexpr std::size_t length_max = 64;
  if (!text.starts_with("\x1b[")) {
    return 0;
  }
  for (std::size_t i = 2; i < std::min(text.size(), length_max); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x40 && c <= 0x7E) {
      return i + 1;
    }
    if (c < 0x20 || c > 0x3F) {
      break;
    }
  }
  return 0;
}

/// Colours and the like: numbers, then `m`.
bool is_colour(std::string_view sequence) {
  return sequence.ends_with('m')
         && sequence.find_first_not_of("0123456789;", 2) == sequence.size() - 1;
}

std::string plural(std::int64_t n, const char* unit) {
  return std::to_string(n) + " " + unit + (n == 1 ? "" : "s") + " ago";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe(text);
  for (std::size_t i = 0; i < safe.size(); ++i) {
    const auto c = static_cast<unsigned char>(safe[i]);
    if (c < 0x20 || c == 0x7F) {
      safe[i] = '?';
    } else if (c == 0xC2 && i + 1 < safe.size() && static_cast<unsigned char>(safe[i + 1]) < 0xA0) {
      safe[i] = '?';  // U+0080 to U+009F: eight-bit control characters
      safe[i + 1] = '?';
    }
  }
  return safe;
}

std::string printable_output(std::string_view line, bool colours_kept) {
  std::string safe;
  bool coloured = false;
  while (!line.empty()) {
    const auto length = control_sequence(line);
    if (length > 0) {
      if (colours_kept && is_colour(line.substr(0, length))) {
        safe += line.substr(0, length);
        coloured = true;
      }
      line.remove_prefix(length);
      continue;
    }
    const auto next = line.find('\x1b', 1);
    auto plain = std::string(line.substr(0, next));
    std::replace(plain.begin(), plain.end(), '\t', ' ');
    safe += printable(plain);
    line.remove_prefix(plain.size());
  }
  return coloured ? safe + "\x1b[0m" : safe;
}

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms <= 0) {
    return "never";
  }
  const auto seconds = std::max<std::int64_t>(0, (now_ms - then_ms) / 1000);
  if (seconds < 5) {
    return "just now";
  }
  if (seconds < 60) {
    return plural(seconds, "second");
  }
  if (seconds < 3600) {
    return plural(seconds / 60, "minute");
  }
  return seconds < 86400 ? plural(seconds / 3600, "hour") : plural(seconds / 86400, "day");
}

std::int64_t parse_time(std::string_view iso) {
  std::tm t{};
  int ms = 0;
  const std::string text(iso);
  const int n = std::sscanf(
    text.c_str(),
    "%4d-%2d-%2dT%2d:%2d:%2d.%3d",
    &t.tm_year,
    &t.tm_mon,
    &t.tm_mday,
    &t.tm_hour,
    &t.tm_min,
    &t.tm_sec,
    &ms);
  if (n < 6) {
    return 0;
  }
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  return static_cast<std::int64_t>(timegm(&t)) * 1000 + ms;
}

std::string iso_time(std::int64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm t{};
  ::gmtime_r(&seconds, &t);
  char text[32];
  const auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &t);
  return {text, n};
}

std::string bytes_text(std::int64_t bytes) {
  static constexpr std::array units{"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(std::max<std::int64_t>(bytes, 0));
  std::size_t unit = 0;
  while (size >= 1000 && unit + 1 < units.size()) {
    size /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
  return text.data();
}

void console::line(std::string_view text) {
  out_ << text << '\n';
}

void console::print(const nlohmann::json& value) {
  out_ << value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

bool console::raw(std::string_view bytes) {
  return static_cast<bool>(out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())));
}

void console::flush() {
  out_.flush();
}

void console::note(std::string_view text) {
  error_ << text << '\n' << std::flush;
}

void console::warn(std::string_view text) {
  error_ << paint(colour::yellow, "warning: ") << text << '\n' << std::flush;
}

void console::fail(const messages::error& e) {
  const bool colours = o_.colours && o_.error_is_terminal;
  error_ << (colours ? "\x1b[31mslipway:\x1b[0m " : "slipway: ") << e.detail << '\n';
  if (const std::string_view hint = hint_of(e.code); !hint.empty()) {
    error_ << "hint: " << hint << '\n';
  }
  error_ << std::flush;
}

std::string console::paint(colour c, std::string_view text) const {
  static constexpr std::array codes{"", "32", "33", "31", "2", "1"};
  if (!o_.colours || c == colour::none) {
    return std::string(text);
  }
  return "\x1b[" + std::string(codes[static_cast<std::size_t>(c)]) + "m" + std::string(text)
         + "\x1b[0m";
}

void console::table(
  const std::vector<std::string>& header,
  const std::vector<std::vector<std::string>>& rows,
  int state_column) {
  std::vector<std::vector<std::string>> all{header};
  for (const auto& row : rows) {
    auto& safe = all.emplace_back();
    for (const auto& cell : row) {
      safe.push_back(cell.empty() ? "-" : printable(cell));
    }
  }
  std::vector<std::size_t> widths(header.size(), 0);
  for (const auto& row : all) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  for (std::size_t r = 0; r < all.size(); ++r) {
    std::string text;
    for (std::size_t i = 0; i < all[r].size(); ++i) {
      const bool last = i + 1 == all[r].size();
      const auto cell = last ? all[r][i] : padded(all[r][i], widths[i]);
      const auto c = r == 0                                ? colour::bold
                     : static_cast<int>(i) == state_column ? colour_of_state(all[r][i])
                                                           : colour::none;
      text += paint(c, cell) + (last ? "" : "  ");
    }
    line(text);
  }
}

void console::details(const std::vector<std::pair<std::string, std::string>>& lines) {
  std::size_t width = 0;
  for (const auto& l : lines) {
    width = std::max(width, l.first.size() + 1);
  }
  for (const auto& [name, value] : lines) {
    line(
      paint(colour::bold, padded(name + ":", width)) + " "
      + (value.empty() ? "-" : printable(value)));
  }
}

}  // namespace slipway::cli
