#include "domain/semver.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace slipway::domain {
namespace {

bool is_number(std::string_view identifier) {
  return identifier.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

bool has_zeros_in_front(std::string_view number) {
  return number.size() > 1 && number[0] == '0';
}

/// Identifiers between dots. Numbers among those of a prerelease have one form only; build metadata is text.
bool valid_identifiers(std::string_view text, bool is_prerelease) {
  const auto parts = identifiers(text);
  return !parts.empty() && !text.ends_with('.')
         && std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
              return is_identifier(part)
                     && !(is_prerelease && is_number(part) && has_zeros_in_front(part));
            });
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
    if (!valid_identifiers(v.build, false)) {
      return bad();
    }
  }
  if (const auto dash = rest.find('-'); dash != std::string_view::npos) {
    v.prerelease = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
    if (!valid_identifiers(v.prerelease, true)) {
      return bad();
    }
  }
  for (auto* part : {&v.major, &v.minor, &v.patch}) {
    const bool last = part == &v.patch;
    const auto dot = rest.find('.');
    const auto digits = rest.substr(0, dot);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), *part);
    const bool whole = error == std::errc{} && end == digits.data() + digits.size() && *part >= 0;
    if (!whole || has_zeros_in_front(digits) || (dot == std::string_view::npos) != last) {
      return bad();
    }
    rest = last ? std::string_view{} : rest.substr(dot + 1);
  }
  return v;
}

namespace {

// A number is below any word, numbers compare as such, words by bytes.
int compare_identifiers(const std::string& a, const std::string& b) {
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
