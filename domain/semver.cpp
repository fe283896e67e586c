#include "domain/semver.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace slipway::domain {
namespace {

bool valid_identifiers(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) {
    if (c == '.') {
      if (length == 0) {
        return false;
      }
      length = 0;
      continue;
    }
    const bool ok =
      (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    if (!ok) {
      return false;
    }
    ++length;
  }
  return length > 0;
}

}  // namespace

std::vector<std::string> identifiers(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto dot = text.find('.');
    parts.emplace_back(text.substr(0, dot));
    text = dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
  }
  return parts;
}

messages::result<semver> parse_semver(std::string_view text) {
  const auto bad = [&] {
    return messages::fail(
      messages::errc::rule_violated,
      "\"" + std::string(text.substr(0, 80)) + "\" is not a semantic version");
  };
  semver v;
  auto rest = text;
  if (const auto plus = rest.find('+'); plus != std::string_view::npos) {
    v.build = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    if (!valid_identifiers(v.build)) {
      return bad();
    }
  }
  if (const auto dash = rest.find('-'); dash != std::string_view::npos) {
    v.prerelease = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
    if (!valid_identifiers(v.prerelease)) {
      return bad();
    }
  }
  for (auto* part : {&v.major, &v.minor, &v.patch}) {
    const bool last = part == &v.patch;
    const auto dot = rest.find('.');
    const auto digits = rest.substr(0, dot);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *part);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size() && *part >= 0;
    const bool zero_padded = digits.size() > 1 && digits[0] == '0';
    if (!whole || zero_padded || (dot == std::string_view::npos) != last) {
      return bad();
    }
    rest = last ? std::string_view{} : rest.substr(dot + 1);
  }
  return v;
}

namespace {

// A number is below any word, numbers compare as such, words by bytes.
int compare_identifiers(const std::string& a, const std::string& b) {
  const auto is_number = [](const std::string& s) {
    return s.find_first_not_of("0123456789") == std::string::npos;
  };
  const bool x = is_number(a);
  const bool y = is_number(b);
  if (x && y && a.size() != b.size()) {
    return a.size() < b.size() ? -1 : 1;  // no leading zeros in a version
  }
  return x == y ? a.compare(b) : (x ? -1 : 1);
}

bool prerelease_precedes(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) {
    return !a.empty();  // what is released is above what is not
  }
  const auto x = identifiers(a);
  const auto y = identifiers(b);
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    if (const auto order = compare_identifiers(x[i], y[i]); order != 0) {
      return order < 0;
    }
  }
  return x.size() < y.size();
}

}  // namespace

bool precedes(const semver& a, const semver& b) {
  const auto x = std::tie(a.major, a.minor, a.patch);
  const auto y = std::tie(b.major, b.minor, b.patch);
  if (x != y) {
    return x < y;
  }
  return a.prerelease != b.prerelease && prerelease_precedes(a.prerelease, b.prerelease);
}

}  // namespace slipway::domain
