#include "domain/build_summary.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace slipway::domain {
namespace {

constexpr std::size_t columns = 4;
using cells = std::array<std::string, columns>;

std::string with_unit(double number, const char* unit) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", number, unit);
  return text.data();
}

std::string size_text(std::int64_t bytes) {
  const auto b = static_cast<double>(bytes);
  return bytes >= 1'000'000'000 ? with_unit(b / 1e9, "GB")
         : bytes >= 1'000'000   ? with_unit(b / 1e6, "MB")
                                : with_unit(b / 1e3, "kB");
}

std::string time_text(std::int64_t ms) {
  const auto seconds = ms / 1000;
  return seconds < 60
           ? with_unit(static_cast<double>(ms) / 1000.0, "s")
           : std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
}

}  // namespace

std::vector<std::string> build_summary(std::span<const messages::service_progress> services) {
  std::vector<cells> rows{{"SERVICE", "SIZE", "TIME", ""}};
  for (const auto& s : services) {
    rows.push_back(
      {s.name,
       size_text(s.image_bytes),
       time_text(std::max<std::int64_t>(0, s.ended - s.started)),
       s.cached ? "from cache" : ""});
  }
  std::array<std::size_t, columns> width{};
  for (const auto& r : rows) {
    for (std::size_t i = 0; i < columns; ++i) {
      width[i] = std::max(width[i], r[i].size());
    }
  }
  std::vector<std::string> out;
  for (const auto& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      line += r[i] + std::string(width[i] - r[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace slipway::domain
