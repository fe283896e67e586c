#pragma once

#include "messages/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cli {

/// Text from servers and devices without what would steer a terminal: control characters become `?`.
std::string printable(std::string_view text);

/// The same for a line of a build's output: tabs become blanks, what only steers a terminal is left out, and so are colours unless they
/// are to be `kept`; then the line ends without any.
std::string printable_output(std::string_view line, bool colours_kept);

/// `3 minutes ago`, `just now`, `never` for 0. Times in ms since 1970.
std::string ago(std::int64_t then_ms, std::int64_t now_ms);

/// `2026-11-23T10:00:00.000Z` in ms since 1970, 0 when it is not such a time.
std::int64_t parse_time(std::string_view iso);

/// The reverse of `parse_time`.
std::string iso_time(std::int64_t ms);

/// `12.5 MB`.
std::string bytes_text(std::int64_t bytes);

enum class colour { none, green, yellow, red, dim, bold };

/// Where a command's output goes, and how.
class console {
public:
  struct options {
    bool out_is_terminal = false;
    bool error_is_terminal = false;
    bool colours = false;  ///< on a terminal without NO_COLOR
    bool json = false;
    int width = 80;
  };
  console(std::ostream& out, std::ostream& error, options o) : out_(out), error_(error), o_(o) {}

  [[nodiscard]] const options& how() const { return o_; }
  [[nodiscard]] bool json() const { return o_.json; }
  void set_json(bool json) { o_.json = json; }

  /// The result of the command.
  void line(std::string_view text);
  void print(const nlohmann::json& value);
  /// Bytes as they are, for what is a file itself. False when they cannot be written.
  bool raw(std::string_view bytes);
  /// What was printed so far reaches its reader now, although more will come.
  void flush();
  /// What goes on while it works: to stderr, so that the result can be piped.
  void note(std::string_view text);
  void warn(std::string_view text);
  void fail(const messages::error& e);

  [[nodiscard]] std::string paint(colour c, std::string_view text) const;
  [[nodiscard]] std::ostream& error_stream() { return error_; }

  /// Columns aligned with two blanks between. `rows` are untrusted text; `state_column` is coloured by its word.
  void table(
    const std::vector<std::string>& header,
    const std::vector<std::vector<std::string>>& rows,
    int state_column = -1);
  /// `name: value` lines, values aligned.
  void details(const std::vector<std::pair<std::string, std::string>>& lines);

private:
  std::ostream& out_;
  std::ostream& error_;
  options o_;
};

}  // namespace slipway::cli
