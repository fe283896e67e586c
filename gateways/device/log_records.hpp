#pragma once

#include "messages/error.hpp"
#include "storage/device_logs.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Log records as devices send and people read them (balena-api.md 8.9; docs/protocols/device-logs.md).
namespace slipway::gateways::device {

/// Of a message, in bytes; devices cut at 10,000 characters. What is longer is cut.
constexpr std::size_t log_message_bytes_max = 40'000;
/// Of one record as JSON; a longer line of a stream is skipped.
constexpr std::size_t log_record_bytes_max = 64 * 1024;
/// Records of one batch.
constexpr std::size_t log_batch_records_max = 10;

/// One record; nothing for one that is to be dropped (it has a `uuid`). Errors: invalid_argument.
[[nodiscard]] messages::result<std::optional<storage::log_line>> parse_log_record(
  std::string_view json,
  std::int64_t now_ms);

/// A JSON array of at most `log_batch_records_max`; one that is wrong makes all wrong. Errors: invalid_argument, too_large.
[[nodiscard]] messages::result<std::vector<storage::log_line>> parse_log_batch(
  std::string_view json,
  std::int64_t now_ms);

/// Adds a record as JSON, without a line end.
void append_log_record(std::string& out, const storage::log_line& line);

/// Cuts a stream into lines, of which it holds at most one part, up to `log_record_bytes_max`. Longer lines are stepped over.
class log_line_splitter {
public:
  /// Calls `line` for each complete line that is not empty.
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& line);
  /// The last line, if it has no end. Only at the end of the stream.
  void finish(const std::function<void(std::string_view)>& line);
  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

private:
  void take(std::string_view part);

  std::string part_;
  bool too_long_ = false;
  std::uint64_t skipped_ = 0;
};

/// `count`, `start` and `stream` of a reader's query.
struct log_query {
  std::optional<std::uint64_t> count;  ///< of the newest lines; nothing = all
  std::int64_t start_ms = 0;           ///< lines from this time of the device on; 0 = any
  bool stream = false;
};
/// What a reader gets that names no count.
constexpr std::uint64_t log_history_lines_default = 1000;

/// Errors: invalid_argument.
[[nodiscard]] messages::result<log_query> parse_log_query(std::string_view query);

}  // namespace slipway::gateways::device
