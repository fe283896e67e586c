#include "gateways/device/log_records.hpp"

#include "gateways/api/odata/date.hpp"
#include "messages/json.hpp"
#include "runtime/http_text.hpp"

#include <charconv>
#include <cmath>

namespace slipway::gateways::device {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;
using storage::log_line;

namespace {

constexpr std::size_t record_depth_max = 8;
/// The year 5138; later ones are not milliseconds.
constexpr std::int64_t time_ms_max = 100'000'000'000'000;

tl::unexpected<messages::error> wrong(const char* what) {
  return fail(errc::invalid_argument, what);
}

std::optional<std::int64_t> whole_number(const json& j) {
  if (j.is_number_unsigned()) {
    const auto n = j.get<std::uint64_t>();
    return n <= static_cast<std::uint64_t>(time_ms_max)
             ? std::optional(static_cast<std::int64_t>(n))
             : std::nullopt;
  }
  if (j.is_number_integer()) {
    return std::nullopt;  // negative
  }
  if (j.is_number_float()) {
    const auto n = j.get<double>();
    return n >= 0 && n <= static_cast<double>(time_ms_max) && std::floor(n) == n
             ? std::optional(static_cast<std::int64_t>(n))
             : std::nullopt;
  }
  return std::nullopt;
}

/// Absent and null are false.
std::optional<bool> flag(const json& record, const char* name) {
  const auto it = record.find(name);
  if (it == record.end() || it->is_null()) {
    return false;
  }
  return it->is_boolean() ? std::optional(it->get<bool>()) : std::nullopt;
}

/// Not within a character.
void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return;
  }
  auto end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
    --end;
  }
  text.resize(end);
}

result<std::optional<log_line>> record_of(json& record, std::int64_t now_ms) {
  if (!record.is_object()) {
    return wrong("a log record is not an object");
  }
  for (const char* old : {"is_system", "is_stderr", "image_id"}) {
    if (record.contains(old)) {
      return wrong("a log record has members of an old form");
    }
  }
  if (record.contains("uuid")) {
    return std::optional<log_line>();
  }
  const auto message = record.find("message");
  const auto time = record.find("timestamp");
  if (message == record.end() || !message->is_string() || time == record.end()) {
    return wrong("a log record needs message and timestamp");
  }
  const auto ms = whole_number(*time);
  const auto system = flag(record, "isSystem");
  const auto error = flag(record, "isStdErr");
  if (!ms || !system || !error) {
    return wrong("a member of a log record has the wrong type");
  }
  log_line line;
  if (const auto service = record.find("serviceId");
      service != record.end() && !service->is_null()) {
    const auto id = whole_number(*service);
    if (!id) {
      return wrong("serviceId of a log record is not a number");
    }
    line.service = *id;
  }
  line.created_ms = now_ms;
  line.timestamp_ms = *ms;
  line.is_system = *system;
  line.is_stderr = *error;
  line.message = std::move(message->get_ref<std::string&>());
  cut(line.message, log_message_bytes_max);
  return std::optional(std::move(line));
}

}  // namespace

result<std::optional<log_line>> parse_log_record(std::string_view text, std::int64_t now_ms) {
  auto record = messages::parse_json(text, record_depth_max);
  if (!record) {
    return tl::unexpected(record.error());
  }
  return record_of(*record, now_ms);
}

result<std::vector<log_line>> parse_log_batch(std::string_view text, std::int64_t now_ms) {
  auto batch = messages::parse_json(text, record_depth_max);
  if (!batch) {
    return tl::unexpected(batch.error());
  }
  if (!batch->is_array()) {
    return wrong("the body is not an array of log records");
  }
  if (batch->size() > log_batch_records_max) {
    return wrong("a batch has at most 10 log records");
  }
  std::vector<log_line> lines;
  for (auto& record : *batch) {
    auto line = record_of(record, now_ms);
    if (!line) {
      return tl::unexpected(line.error());
    }
    if (*line) {
      lines.push_back(std::move(**line));
    }
  }
  return lines;
}

void append_log_record(std::string& out, const log_line& line) {
  out += R"({"message":)";
  out += messages::dump_json(line.message);
  out += R"(,"timestamp":)";
  out += std::to_string(line.timestamp_ms);
  out += R"(,"createdAt":)";
  out += std::to_string(line.created_ms);
  out += line.is_system ? R"(,"isSystem":true)" : R"(,"isSystem":false)";
  out += line.is_stderr ? R"(,"isStdErr":true)" : R"(,"isStdErr":false)";
  if (line.service != 0) {
    out += R"(,"serviceId":)";
    out += std::to_string(line.service);
  }
  out += '}';
}

void log_line_splitter::take(std::string_view part) {
  if (too_long_) {
    return;
  }
  if (part_.size() + part.size() > log_record_bytes_max) {
    too_long_ = true;
    ++skipped_;
    part_.clear();
    part_.shrink_to_fit();
    return;
  }
  part_ += part;
}

void log_line_splitter::feed(
  std::string_view bytes,
  const std::function<void(std::string_view)>& line) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    take(bytes.substr(0, end));
    if (end == std::string_view::npos) {
      return;
    }
    bytes.remove_prefix(end + 1);
    finish(line);
  }
}

void log_line_splitter::finish(const std::function<void(std::string_view)>& line) {
  if (!too_long_ && part_.find_first_not_of(" \t\r") != std::string::npos) {
    line(part_);
  }
  too_long_ = false;
  part_.clear();
}

result<log_query> parse_log_query(std::string_view query) {
  const auto pairs = runtime::parse_query(query);
  if (!pairs) {
    return wrong("the query is malformed");
  }
  log_query q;
  const auto number = [](std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    return failed == std::errc{} && end == text.data() + text.size() ? std::optional(n)
                                                                     : std::nullopt;
  };
  const auto stream = runtime::query_value(*pairs, "stream").value_or("");
  q.stream = stream == "1" || stream == "true";
  const auto start = std::string(runtime::query_value(*pairs, "start").value_or(""));
  if (!start.empty()) {
    const auto ms = number(start);
    const auto date = ms ? std::nullopt : odata::parse_date(start);
    if ((!ms || *ms > static_cast<std::uint64_t>(time_ms_max)) && !date) {
      return wrong("\"start\" is neither milliseconds nor a date");
    }
    q.start_ms = date ? *date : static_cast<std::int64_t>(*ms);
  }
  const auto count = runtime::query_value(*pairs, "count").value_or("");
  if (count.empty()) {
    // Whoever names a time wants all from it on; a stream begins now unless told otherwise.
    if (start.empty()) {
      q.count = q.stream ? 0 : log_history_lines_default;
    }
    return q;
  }
  if (count != "all") {
    q.count = number(count);
    if (!q.count) {
      return wrong("\"count\" is neither a number nor all");
    }
  }
  return q;
}

}  // namespace slipway::gateways::device
