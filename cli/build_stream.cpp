#include "cli/build_stream.hpp"

#include "cli/api.hpp"
#include "messages/json.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using messages::result;
using nlohmann::json;

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t n = 0;
  const auto* const end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, n);
  return code == std::errc{} && stop == end && n > 0 ? std::optional(n) : std::nullopt;
}

/// `up3` and `down`.
std::optional<build_element> cursor_of(std::string_view value) {
  build_element e;
  if (value == "erase") {
    e.what = build_element::kind::erase;
    return e;
  }
  const bool up = value.starts_with("up");
  if (!up && !value.starts_with("down")) {
    return std::nullopt;
  }
  e.what = up ? build_element::kind::up : build_element::kind::down;
  value.remove_prefix(up ? 2 : 4);
  const auto lines = value.empty() ? std::optional<std::int64_t>(1) : number_in(value);
  if (!lines) {
    return std::nullopt;
  }
  e.number = std::min(*lines, build_stream::cursor_lines_max);
  return e;
}

std::optional<build_element> metadata_of(const json& j) {
  const auto value = j.find("value");
  if (value == j.end()) {
    return std::nullopt;
  }
  const auto text = value->is_string() ? value->get<std::string>() : std::string();
  if (text_of(j, "resource") == "cursor") {
    return cursor_of(text);
  }
  if (text_of(j, "resource") != "buildLogId") {
    return std::nullopt;
  }
  build_element e;
  e.what = build_element::kind::release;
  e.number = value->is_number_integer() ? value->get<std::int64_t>() : number_in(text).value_or(0);
  return e.number > 0 ? std::optional(e) : std::nullopt;
}

std::optional<build_element> element_of(const json& j) {
  if (text_of(j, "type") == "metadata") {
    return metadata_of(j);
  }
  const auto message = j.find("message");
  const bool error = bool_of(j, "isError");
  if ((message == j.end() || !message->is_string()) && !error) {
    return std::nullopt;
  }
  build_element e;
  e.text = text_of(j, "message");
  e.text.resize(e.text.find_last_not_of("\r\n") + 1);  // npos + 1 is 0
  e.replace = bool_of(j, "replace");
  e.error = error;
  return e;
}

}  // namespace

result<void> build_stream::feed(std::string_view bytes) {
  for (const char c : bytes) {
    if (auto done = step(c); !done) {
      return done;
    }
  }
  return {};
}

result<void> build_stream::step(char c) {
  if (at_ == place::inside) {
    return step_inside(c);
  }
  if (is_blank(c) || at_ == place::after) {
    return {};
  }
  if (at_ == place::before && c == '[') {
    at_ = place::between;
    return {};
  }
  if (at_ == place::between && c == ']') {
    at_ = place::after;
    return {};
  }
  if (at_ == place::between && c == ',') {
    return {};
  }
  if (at_ == place::between && c == '{') {
    at_ = place::inside;
    element_ = '{';
    depth_ = 1;
    in_text_ = escaped_ = false;
    return {};
  }
  return fail(errc::corrupt, "the server does not answer like a builder");
}

result<void> build_stream::step_inside(char c) {
  if (element_.size() == element_bytes_max) {
    return fail(errc::too_large, "the server sent an element of more than 1 MiB");
  }
  element_ += c;
  if (in_text_) {
    in_text_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
    return {};
  }
  in_text_ = c == '"';
  depth_ += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
  return depth_ == 0 ? element() : result<void>{};
}

result<void> build_stream::element() {
  at_ = place::between;
  const auto j = messages::parse_json(element_);
  if (!j || !j->is_object()) {
    return fail(errc::corrupt, "the server sent an element that is no JSON object");
  }
  if (const auto e = element_of(*j)) {
    sink_(*e);
  }
  return {};
}

}  // namespace slipway::cli
