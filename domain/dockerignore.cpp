#include "domain/dockerignore.hpp"

namespace slipway::domain {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) {
    return {};
  }
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

/// `./a//b/` and `/a/b` mean `a/b`.
std::string normal(std::string_view pattern) {
  std::string out;
  while (!pattern.empty()) {
    const auto slash = pattern.find('/');
    const auto part = pattern.substr(0, slash);
    if (!part.empty() && part != ".") {
      out += (out.empty() ? "" : "/") + std::string(part);
    }
    pattern = slash == std::string_view::npos ? std::string_view{} : pattern.substr(slash + 1);
  }
  return out;
}

/// Takes a `[...]` class off the pattern; false when it does not match `c` or is broken.
bool class_matches(std::string_view& pattern, char c) {
  const auto end = pattern.find(']', 2);
  if (end == std::string_view::npos) {
    return false;
  }
  auto set = pattern.substr(1, end - 1);
  pattern.remove_prefix(end + 1);
  const bool inverted = set.front() == '^';
  if (inverted) {
    set.remove_prefix(1);
  }
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const bool range = i + 2 < set.size() && set[i + 1] == '-';
    found = found || (range ? set[i] <= c && c <= set[i + 2] : set[i] == c);
    i += range ? 2 : 0;
  }
  return found != inverted && c != '/';
}

/// Takes what stands for one character off the pattern; false when it does not match `c`.
bool one_matches(std::string_view& pattern, char c) {
  if (pattern.front() == '[') {
    return class_matches(pattern, c);
  }
  bool same = pattern.front() == '?' ? c != '/' : pattern.front() == c;
  if (pattern.front() == '\\' && pattern.size() > 1) {
    pattern.remove_prefix(1);
    same = pattern.front() == c;
  }
  pattern.remove_prefix(1);
  return same;
}

/// Ends of what the pattern has matched so far: `reached[i]` = the first i characters. Time grows with the product of both lengths,
/// whatever the pattern: patterns come from strangers.
using ends = std::vector<char>;

void star(ends& reached, std::string_view path) {
  for (std::size_t i = 1; i < reached.size(); ++i) {
    reached[i] = static_cast<char>(reached[i] != 0 || (reached[i - 1] != 0 && path[i - 1] != '/'));
  }
}

void two_stars(ends& reached, std::string_view path, bool last) {
  bool any = false;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    any = any || reached[i] != 0;
    const bool boundary = last || (i > 0 && path[i - 1] == '/');
    reached[i] = static_cast<char>(reached[i] != 0 || (any && boundary));
  }
}

void one(ends& reached, std::string_view& pattern, std::string_view path) {
  auto rest = pattern;
  for (auto i = path.size(); i > 0; --i) {
    rest = pattern;
    reached[i] = static_cast<char>(reached[i - 1] != 0 && one_matches(rest, path[i - 1]));
  }
  reached[0] = 0;
  rest = pattern;
  (void)one_matches(rest, 'x');  // for its length
  pattern = rest == pattern ? std::string_view{} : rest;
}

bool match_from_star(std::string_view pattern, std::string_view path) {
  ends reached(path.size() + 1);
  reached[0] = 1;
  while (!pattern.empty()) {
    if (pattern.starts_with("**")) {
      two_stars(reached, path, pattern.size() == 2);
      pattern.remove_prefix(pattern.starts_with("**/") ? 3 : 2);  // `**/a` also matches `a`
    } else if (pattern.front() == '*') {
      star(reached, path);
      pattern.remove_prefix(1);
    } else {
      one(reached, pattern, path);
    }
  }
  return reached.back() != 0;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && pattern.front() != '*') {
    if (path.empty() || !one_matches(pattern, path.front())) {
      return false;
    }
    path.remove_prefix(1);
  }
  return pattern.empty() ? path.empty() : match_from_star(pattern, path);
}

dockerignore::dockerignore(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.starts_with('#')) {
      continue;
    }
    line = trimmed(line);
    const bool bring_back = line.starts_with('!');
    auto pattern = normal(trimmed(bring_back ? line.substr(1) : line));
    if (!pattern.empty()) {
      has_exceptions_ = has_exceptions_ || bring_back;
      rules_.push_back({std::move(pattern), bring_back});
    }
  }
}

bool dockerignore::excludes(std::string_view path) const {
  bool excluded = false;
  for (const auto& r : rules_) {
    if (r.bring_back != excluded) {
      continue;  // would change nothing
    }
    // The path itself, then each of its parents.
    for (auto part = path; !part.empty();) {
      if (glob_matches(r.pattern, part)) {
        excluded = !r.bring_back;
        break;
      }
      const auto slash = part.rfind('/');
      part = slash == std::string_view::npos ? std::string_view{} : part.substr(0, slash);
    }
  }
  return excluded;
}

}  // namespace slipway::domain
