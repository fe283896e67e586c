#include "agent/log_lines.hpp"
#include "gateways/device/log_records.hpp"
#include "messages/json.hpp"
#include "runtime/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace device = slipway::gateways::device;
using slipway::storage::log_line;

namespace {

/// What was taken is within its limits and comes back as it was.
void check(const log_line& line) {
  SLIPWAY_ASSERT(line.message.size() <= device::log_message_bytes_max);
  SLIPWAY_ASSERT(line.timestamp_ms >= 0 && line.service >= 0);
  std::string out;
  device::append_log_record(out, line);
  SLIPWAY_ASSERT(out.find('\n') == std::string::npos);
  const auto j = slipway::messages::parse_json(out);
  SLIPWAY_ASSERT(j && j->at("message") == line.message && j->at("timestamp") == line.timestamp_ms);
}

/// Lines are the same wherever the pieces end.
std::vector<std::string> lines_of(std::string_view bytes, std::size_t piece) {
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  device::log_line_splitter s;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    s.feed(bytes.substr(at, piece), take);
  }
  s.finish(take);
  return lines;
}

void check_agent(std::string_view bytes, std::size_t piece) {
  slipway::agent::log_lines lines({5, 1});
  const auto take = [](const slipway::agent::log_lines::line& l) {
    SLIPWAY_ASSERT(l.message.size() <= 4 * slipway::agent::log_message_chars_max);
    SLIPWAY_ASSERT(l.message.find('\n') == std::string_view::npos);
  };
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    lines.feed({"c", at % 2 == 1, at % 3 == 0, bytes.substr(at, piece)}, 7, take);
  }
  lines.finish(7, take);
}

}  // namespace

/// Whatever the bytes: no crash, limits hold, what is taken is given back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto piece = size == 0 ? 1 : 1 + data[0] % 7U;
  const auto lines = lines_of(bytes, piece);
  SLIPWAY_ASSERT(lines == lines_of(bytes, bytes.size() + 1));
  for (const auto& line : lines) {
    if (const auto record = device::parse_log_record(line, 1); record && *record) {
      check(**record);
    }
  }
  if (const auto batch = device::parse_log_batch(bytes, 1)) {
    SLIPWAY_ASSERT(batch->size() <= device::log_batch_records_max);
    for (const auto& line : *batch) {
      check(line);
    }
  }
  (void)device::parse_log_query(bytes);
  check_agent(bytes, piece);
  return 0;
}
