#include "domain/dockerignore.hpp"

#include <algorithm>

namespace slipway::domain {

namespace {

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) {
    return {};
  }
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

std::size_t index_of(char c) {
  return static_cast<unsigned char>(c);
}

/// Takes a `[...]` class off the pattern. A broken one matches nothing.
std::bitset<256> take_class(std::string_view& pattern) {
  std::bitset<256> set;
  const auto end = pattern.find(']', 2);
  if (end == std::string_view::npos) {
    pattern = {};
    return set;
  }
  auto text = pattern.substr(1, end - 1);
  pattern.remove_prefix(end + 1);
  const bool inverted = text.front() == '^';
  if (inverted) {
    text.remove_prefix(1);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool range = i + 2 < text.size() && text[i + 1] == '-';
    for (auto c = index_of(text[i]); c <= index_of(text[range ? i + 2 : i]); ++c) {
      set.set(c);
    }
    i += range ? 2 : 0;
  }
  if (inverted) {
    set.flip();
  }
  set.reset(index_of('/'));
  return set;
}

/// Takes one character, `?` or class off the pattern.
std::bitset<256> take_one(std::string_view& pattern) {
  if (pattern.front() == '[') {
    return take_class(pattern);
  }
  std::bitset<256> set;
  if (pattern.front() == '?') {
    set.set();
    set.reset(index_of('/'));
  } else {
    if (pattern.front() == '\\' && pattern.size() > 1) {
      pattern.remove_prefix(1);
    }
    set.set(index_of(pattern.front()));
  }
  pattern.remove_prefix(1);
  return set;
}

}  // namespace

glob::glob(std::string_view pattern)
  : pattern_(pattern), literal_(pattern.find_first_of("*?[\\") == std::string_view::npos) {
  if (!literal_) {
    compile();
  }
}

void glob::compile() {
  std::string_view rest = pattern_;
  while (!rest.empty()) {
    if (rest.starts_with("**")) {
      rest.remove_prefix(2);
      rest.remove_prefix(rest.starts_with('/') ? 1 : 0);  // `**/a` also matches `a`
      if (rest.empty()) {
        tokens_.push_back({kind::rest, {}});
      } else {
        tokens_.push_back({kind::folders, {}});
        tokens_.push_back({kind::inside, {}});
      }
    } else if (rest.front() == '*') {
      rest.remove_prefix(1);
      tokens_.push_back({kind::star, {}});
    } else {
      tokens_.push_back({kind::one, take_one(rest)});
    }
  }
}

bool glob::run_literal(std::string_view path, bool or_parent) const {
  return path.starts_with(pattern_)
         && (path.size() == pattern_.size() || (or_parent && path[pattern_.size()] == '/'));
}

void glob::enter(std::vector<char>& positions, std::size_t i) const {
  while (positions[i] == 0) {
    positions[i] = 1;
    if (i == tokens_.size()) {
      return;
    }
    switch (tokens_[i].type) {
      case kind::one:
      case kind::inside:
        return;
      case kind::folders:
        enter(positions, i + 2);
        [[fallthrough]];
      case kind::star:
      case kind::rest:
        ++i;
        break;
    }
  }
}

bool glob::step(const std::vector<char>& from, std::vector<char>& to, unsigned char c) const {
  bool any = false;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (from[i] == 0) {
      continue;
    }
    const auto& t = tokens_[i];
    if (t.type == kind::one && t.set.test(c)) {
      enter(to, i + 1);
      any = true;
    } else if (
      t.type == kind::inside || t.type == kind::rest || (t.type == kind::star && c != '/')) {
      to[i] = 1;
      any = true;
      if (t.type == kind::rest || t.type == kind::star || c == '/') {
        enter(to, i + 1);
      }
    }
  }
  return any;
}

bool glob::run(std::string_view path, bool or_parent) const {
  if (literal_) {
    return run_literal(path, or_parent);
  }
  std::vector<char> at(tokens_.size() + 1, 0);
  std::vector<char> next(tokens_.size() + 1, 0);
  enter(at, 0);
  for (const char c : path) {
    if (or_parent && c == '/' && at.back() != 0) {
      return true;
    }
    std::fill(next.begin(), next.end(), 0);
    if (!step(at, next, static_cast<unsigned char>(c))) {
      return false;
    }
    at.swap(next);
  }
  return at.back() != 0;
}

bool glob::may_match_below(std::string_view folder) const {
  const auto inside = std::string(folder) + "/";
  if (literal_) {
    return pattern_.starts_with(inside);
  }
  std::vector<char> at(tokens_.size() + 1, 0);
  std::vector<char> next(tokens_.size() + 1, 0);
  enter(at, 0);
  for (const char c : inside) {
    std::fill(next.begin(), next.end(), 0);
    if (!step(at, next, static_cast<unsigned char>(c))) {
      return false;
    }
    at.swap(next);
  }
  return true;
}

dockerignore::dockerignore(std::string_view text) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  text.remove_prefix(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.starts_with('#')) {
      continue;
    }
    line = trimmed(line);
    const bool bring_back = line.starts_with('!');
    const auto pattern = normal_path(trimmed(bring_back ? line.substr(1) : line));
    if (!pattern.empty()) {
      longest_ = std::max(longest_, pattern.size());
      rules_.push_back({glob(pattern), bring_back});
    }
  }
}

bool dockerignore::excludes(std::string_view path) const {
  bool excluded = false;
  for (const auto& r : rules_) {
    // A rule that agrees with what is decided would change nothing.
    if (r.bring_back == excluded && r.pattern.matches_or_parent(path)) {
      excluded = !r.bring_back;
    }
  }
  return excluded;
}

bool dockerignore::may_come_back_below(std::string_view folder) const {
  return std::any_of(rules_.begin(), rules_.end(), [folder](const rule& r) {
    return r.bring_back && r.pattern.may_match_below(folder);
  });
}

std::string normal_path(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (!part.empty() && part != ".") {
      out += (out.empty() ? "" : "/") + std::string(part);
    }
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return out;
}

std::function<bool(std::string_view)> context_filter(const messages::service_plan& service) {
  dockerignore rules(service.dockerignore);
  // The context as the folder of the rules sees it.
  std::string prefix;
  if (service.context.size() > service.dockerignore_folder.size()) {
    const auto skip =
      service.dockerignore_folder.empty() ? 0 : service.dockerignore_folder.size() + 1;
    prefix = service.context.substr(skip) + "/";
  }
  return [rules = std::move(rules), prefix = std::move(prefix)](std::string_view path) {
    return rules.rules() > 0 && rules.excludes(prefix + std::string(path));
  };
}

}  // namespace slipway::domain
