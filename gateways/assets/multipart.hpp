#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::gateways {

/// The header of one part.
struct part_head {
  std::string name;          ///< of the form's field
  std::string filename;      ///< as sent: any text; "" = the part is no file
  bool is_file = false;      ///< a filename was given, be it empty
  std::string content_type;  ///< "" = none given
};

/// `boundary` of a `multipart/form-data` content type. Errors: unsupported (415) for any other type, invalid_argument for a boundary
/// that RFC 2046 does not allow.
[[nodiscard]] messages::result<std::string> multipart_boundary(std::string_view content_type);

/// Reads `multipart/form-data` (RFC 7578) as its bytes come, in pieces of any size; keeps no more than one header or one boundary of it.
/// Strict: lines end in CR LF, every part is named, nothing but white space follows the boundary on its line.
class multipart_reader {
public:
  static constexpr std::size_t head_bytes_max = 8192;  ///< of one part
  static constexpr std::size_t parts_max = 16;

  /// Errors of the two first ones end the reading.
  struct events {
    std::function<messages::result<void>(const part_head&)> begin;
    std::function<messages::result<void>(std::string_view bytes)> data;  ///< never empty
    std::function<messages::result<void>()> end;
  };

  multipart_reader(const std::string& boundary, events on);

  /// Errors: invalid_argument (malformed, or past a limit), and those of the events. After an error it takes nothing more.
  [[nodiscard]] messages::result<void> feed(std::string_view bytes);
  /// Whether the closing boundary has been read. What follows it is ignored.
  [[nodiscard]] bool complete() const { return at_ == state::over; }

private:
  enum class state { preamble, after_boundary, head, body, over, failed };
  [[nodiscard]] messages::result<void> step(bool& more);
  [[nodiscard]] messages::result<void> read_boundary_end(bool& more);
  [[nodiscard]] messages::result<void> read_head(bool& more);
  [[nodiscard]] messages::result<void> read_body(bool& more);
  [[nodiscard]] messages::result<void> refuse(std::string why);

  std::string delimiter_;  ///< CR LF `--` boundary
  events on_;
  std::string kept_;  ///< what is not read yet
  state at_ = state::preamble;
  std::size_t parts_ = 0;
};

/// The header lines of a part, without the empty one. Errors: invalid_argument.
[[nodiscard]] messages::result<part_head> parse_part_head(std::string_view lines);

}  // namespace slipway::gateways
