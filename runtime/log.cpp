#include "runtime/log.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace slipway::runtime::log {
namespace {

struct state {
  std::shared_ptr<spdlog::logger> logger = spdlog::stderr_color_mt("slipway");
  format how = format::text;
};

state& current() {
  static state s;
  return s;
}

spdlog::level::level_enum to_spdlog(level l) {
  switch (l) {
    case level::debug:
      return spdlog::level::debug;
    case level::info:
      return spdlog::level::info;
    case level::warn:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

std::string json_line(std::string_view message, std::initializer_list<field> fields) {
  nlohmann::ordered_json line;
  line["message"] = message;
  for (const auto& [name, value] : fields) {
    line[std::string(name)] = value;
  }
  // The members go into the object that the pattern opens. Bytes that are not UTF-8 are replaced, not refused.
  auto text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.substr(1);
}

std::string text_line(std::string_view message, std::initializer_list<field> fields) {
  std::string line(message);
  for (const auto& [name, value] : fields) {
    line += ' ';
    line += name;
    line += '=';
    // One event stays one line, whatever the value holds.
    if (value.find_first_of(" \"\n\r\t") == std::string::npos && !value.empty()) {
      line += value;
    } else {
      line += nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
  }
  return line;
}

}  // namespace

void init(std::string program, level least, format how) {
  auto& s = current();
  s.how = how;
  s.logger->set_level(to_spdlog(least));
  s.logger->flush_on(spdlog::level::warn);
  s.logger->set_pattern(
    how == format::json
      ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","program":")" + program + R"(",%v)"
      : "%Y-%m-%dT%H:%M:%S.%eZ %^%-5l%$ " + program + " %v",
    spdlog::pattern_time_type::utc);
}

void write(level l, std::string_view message, std::initializer_list<field> fields) {
  auto& s = current();
  if (!s.logger->should_log(to_spdlog(l))) {
    return;
  }
  const auto line = s.how == format::json ? json_line(message, fields) : text_line(message, fields);
  s.logger->log(to_spdlog(l), fmt::string_view("{}"), line);
}

}  // namespace slipway::runtime::log
