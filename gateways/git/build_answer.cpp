#include "gateways/git/build_answer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace slipway::gateways::git {

namespace {

constexpr std::size_t element_bytes_max = 1U << 20U;
constexpr int depth_max = 64;

/// Colours stay; what would end a line or ring does not.
void remove_controls(std::string& text) {
  std::erase_if(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 32 && c != '\t' && c != '\x1b') || byte == 127;
  });
}

std::string text_of(const nlohmann::json& element, const char* member) {
  const auto it = element.find(member);
  return it != element.end() && it->is_string() ? it->get<std::string>() : "";
}

bool truth_of(const nlohmann::json& element, const char* member) {
  const auto it = element.find(member);
  return it != element.end() && it->is_boolean() && it->get<bool>();
}

}  // namespace

bool build_answer::feed(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [this](char c) { return take(c); });
}

bool build_answer::take(char c) {
  const bool space = c == ' ' || c == '\n' || c == '\r' || c == '\t';
  if (ended_) {
    return space;
  }
  if (depth_ == 0) {
    depth_ = c == '[' ? 1 : 0;
    return space || c == '[';
  }
  if (depth_ == 1 && !in_text_ && c != '{') {
    ended_ = c == ']';
    if (ended_ && rewriting_) {
      print_("\n");
    }
    return space || ended_ || c == ',';
  }
  element_ += c;
  if (element_.size() > element_bytes_max) {
    return false;
  }
  if (in_text_) {
    in_text_ = escaped_ || c != '"';
    escaped_ = !escaped_ && c == '\\';
    return true;
  }
  in_text_ = c == '"';
  depth_ += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
  return depth_ <= depth_max && (depth_ > 1 || take_element());
}

bool build_answer::take_element() {
  const auto element = nlohmann::json::parse(element_, nullptr, false);
  element_.clear();
  if (!element.is_object()) {
    return false;
  }
  failed_ = failed_ || truth_of(element, "isError");
  if (text_of(element, "resource") == "buildLogId") {
    const auto value = element.find("value");
    release_ =
      value != element.end() && value->is_number_integer() ? value->get<std::int64_t>() : 0;
  }
  if (element.contains("message")) {
    show(text_of(element, "message"), truth_of(element, "replace"));
  }
  return true;
}

/// git hands a line on when it ends, be it in a carriage return: then the next one is written over it.
void build_answer::show(std::string text, bool replaces) {
  while (text.ends_with('\n') || text.ends_with('\r')) {
    text.pop_back();
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  remove_controls(text);
  std::string line = rewriting_ && !replaces ? "\n" : "";
  line += text;
  line += replaces ? '\r' : '\n';
  rewriting_ = replaces;
  print_(line);
}

}  // namespace slipway::gateways::git
