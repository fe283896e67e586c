#include "domain/compose_values.hpp"

#include <charconv>
#include <cmath>

namespace slipway::domain {
namespace {

using json = nlohmann::json;

struct unit {
  std::string_view name;
  double factor;
};

constexpr double kib = 1024;
constexpr unit byte_units[] = {
  {"", 1},
  {"b", 1},
  {"k", kib},
  {"kb", kib},
  {"m", kib* kib},
  {"mb", kib* kib},
  {"g", kib* kib* kib},
  {"gb", kib* kib* kib}};
constexpr unit time_units[] =
  {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

/// Reads a number from the front of `text` and the letters after it.
bool take(std::string_view& text, double& number, std::string& letters) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || number < 0 || !std::isfinite(number)) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  letters.clear();
  while (!text.empty() && (text[0] < '0' || text[0] > '9')) {
    letters += text[0] >= 'A' && text[0] <= 'Z' ? static_cast<char>(text[0] + 32) : text[0];
    text.remove_prefix(1);
  }
  return true;
}

template <std::size_t N>
const unit* find(const unit (&units)[N], std::string_view name) {
  for (const auto& u : units) {
    if (u.name == name) {
      return &u;
    }
  }
  return nullptr;
}

std::optional<std::int64_t> whole(double x) {
  if (!(x >= 0) || x > 9e18) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(x);
}

}  // namespace

std::optional<std::int64_t> compose_bytes(const json& value) {
  if (value.is_number()) {
    return whole(value.get<double>());
  }
  if (!value.is_string()) {
    return std::nullopt;
  }
  std::string_view text = value.get_ref<const std::string&>();
  double number = 0;
  std::string letters;
  if (!take(text, number, letters) || !text.empty()) {
    return std::nullopt;
  }
  const auto* u = find(byte_units, letters);
  return u == nullptr ? std::nullopt : whole(number * u->factor);
}

std::optional<std::int64_t> compose_duration_ns(const json& value) {
  if (value.is_number()) {
    return whole(value.get<double>() * 1e9);
  }
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
    return std::nullopt;
  }
  std::string_view text = value.get_ref<const std::string&>();
  double sum = 0;
  while (!text.empty()) {
    double number = 0;
    std::string letters;
    const auto* u = take(text, number, letters) ? find(time_units, letters) : nullptr;
    if (u == nullptr) {
      return std::nullopt;
    }
    sum += number * u->factor;
  }
  return whole(sum);
}

std::optional<std::string> compose_text(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_boolean() || value.is_number()) {
    return value.dump();
  }
  return std::nullopt;
}

std::optional<double> compose_number(const json& value) {
  if (value.is_number()) {
    return value.get<double>();
  }
  if (!value.is_string()) {
    return std::nullopt;
  }
  const auto& text = value.get_ref<const std::string&>();
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

std::optional<bool> compose_bool(const json& value) {
  if (value.is_boolean()) {
    return value.get<bool>();
  }
  if (value == "true" || value == "yes") {
    return true;
  }
  if (value == "false" || value == "no") {
    return false;
  }
  return std::nullopt;
}

std::vector<std::string> compose_list(const json& value) {
  std::vector<std::string> out;
  if (value.is_array()) {
    for (const auto& item : value) {
      if (auto text = compose_text(item)) {
        out.push_back(std::move(*text));
      }
    }
  } else if (auto text = compose_text(value)) {
    out.push_back(std::move(*text));
  }
  return out;
}

std::optional<std::vector<std::string>> compose_command(const json& value) {
  if (value.is_array()) {
    return compose_list(value);
  }
  if (!value.is_string()) {
    return std::nullopt;
  }
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  const auto& text = value.get_ref<const std::string&>();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else if (
        c == '\\' && quote == '"' && i + 1 < text.size()
        && (text[i + 1] == '"' || text[i + 1] == '\\')) {
        word += text[++i];
      } else {
        word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) {
        words.push_back(std::move(word));
        word.clear();
        in_word = false;
      }
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) {
    return std::nullopt;
  }
  if (in_word) {
    words.push_back(std::move(word));
  }
  return words;
}

std::map<std::string, std::string> compose_map(const json& value, char separator) {
  std::map<std::string, std::string> out;
  if (value.is_object()) {
    for (const auto& [name, item] : value.items()) {
      if (auto text = compose_text(item)) {
        out[name] = std::move(*text);
      }
    }
  } else if (value.is_array()) {
    for (const auto& line : compose_list(value)) {
      const auto at = line.find(separator);
      if (at != std::string::npos) {
        out[line.substr(0, at)] = line.substr(at + 1);
      }
    }
  }
  return out;
}

}  // namespace slipway::domain
