#pragma once

#include "agent/log_ports.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::agent {

/// Of a message, in characters; what is longer is cut.
constexpr std::size_t log_message_chars_max = 10'000;
/// Held of a line until its end: characters have up to four bytes, and a time stands before them.
constexpr std::size_t log_line_bytes_max = 4 * log_message_chars_max + 64;

/// `2026-11-23T08:00:00.123456789Z` or with an offset, at the beginning of a line and followed by a space: ns since 1970. Cuts it off.
[[nodiscard]] std::optional<std::int64_t> take_log_time(std::string_view& line);

/// Cut to `log_message_chars_max`, without a carriage return at its end.
[[nodiscard]] std::string_view cut_log_message(std::string_view text);

/// Puts the output of one container together to lines, from where it was taken before.
class log_lines {
public:
  struct line {
    std::int64_t time_ns = 0;
    bool error = false;
    std::string_view message;
  };
  using taker = std::function<void(const line&)>;

  /// Goes on behind `from`.
  explicit log_lines(log_position from) : at_(from), behind_(from.time_ns != 0) {}

  /// `now_ns` stands in for a time that cannot be read.
  void feed(const log_bytes& b, std::int64_t now_ns, const taker& take);
  /// A last line without an end counts: the container has stopped.
  void finish(std::int64_t now_ns, const taker& take);
  [[nodiscard]] const log_position& position() const { return at_; }

private:
  void add(std::string& part, std::string_view bytes);
  void complete(bool error, std::int64_t now_ns, const taker& take);
  [[nodiscard]] bool is_new(std::int64_t time_ns);

  log_position at_;
  std::int64_t passed_ = 0;  ///< lines of exactly that time that came again
  bool behind_;              ///< what comes may have been taken before
  std::array<std::string, 2> parts_;
};

}  // namespace slipway::agent
