#include "cli/dockerignore.hpp"

namespace slipway::cli {

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

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty()) {
    if (pattern.starts_with("**")) {
      auto rest = pattern.substr(2);
      if (rest.starts_with('/')) {
        rest.remove_prefix(1);  // `**/a` also matches `a`
      }
      for (std::size_t i = 0; i <= path.size(); ++i) {
        const bool boundary = i == 0 || path[i - 1] == '/' || pattern.size() == 2;
        if (boundary && glob_matches(rest, path.substr(i))) {
          return true;
        }
      }
      return false;
    }
    if (pattern.front() == '*') {
      for (std::size_t i = 0; i <= path.size(); ++i) {
        if (glob_matches(pattern.substr(1), path.substr(i))) {
          return true;
        }
        if (i < path.size() && path[i] == '/') {
          break;
        }
      }
      return false;
    }
    if (path.empty()) {
      return false;
    }
    if (pattern.front() == '[') {
      if (!class_matches(pattern, path.front())) {
        return false;
      }
    } else {
      if (pattern.front() == '\\' && pattern.size() > 1) {
        pattern.remove_prefix(1);
        if (pattern.front() != path.front()) {
          return false;
        }
      } else if (pattern.front() == '?' ? path.front() == '/' : pattern.front() != path.front()) {
        return false;
      }
      pattern.remove_prefix(1);
    }
    path.remove_prefix(1);
  }
  return path.empty();
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

}  // namespace slipway::cli
