#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

/// Structured logs: one line an event, to stderr. spdlog stays out of this header: it costs seconds in every file.
namespace slipway::runtime::log {

enum class level { debug, info, warn, error };
enum class format { text, json };

/// A field's name and its value as text. Secrets never go here.
using field = std::pair<std::string_view, std::string>;

void init(std::string program, level least, format how);
void write(level l, std::string_view message, std::initializer_list<field> fields = {});

inline void debug(std::string_view m, std::initializer_list<field> f = {}) {
  write(level::debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<field> f = {}) {
  write(level::info, m, f);
}
inline void warn(std::string_view m, std::initializer_list<field> f = {}) {
  write(level::warn, m, f);
}
inline void error(std::string_view m, std::initializer_list<field> f = {}) {
  write(level::error, m, f);
}

}  // namespace slipway::runtime::log
