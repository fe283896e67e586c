#pragma once

#include "messages/build.hpp"

#include <bitset>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// Limits of a `.dockerignore` that a build obeys: every path of the source is tried on every rule.
constexpr std::size_t dockerignore_bytes_max = 64U * 1024U;
constexpr std::size_t dockerignore_rules_max = 1'000;
constexpr std::size_t glob_characters_max = 256;

/// A pattern of Go's filepath.Match with `**`: `*` and `?` stop at `/`, `**` stands for whole folders.
class glob {
public:
  explicit glob(std::string_view pattern);

  /// Whether the whole `path` matches. Takes at most the product of both lengths, whatever the pattern.
  [[nodiscard]] bool matches(std::string_view path) const { return run(path, false); }
  /// Whether `path` or a folder that it is in matches.
  [[nodiscard]] bool matches_or_parent(std::string_view path) const { return run(path, true); }
  /// Whether some path in that folder may match although the folder itself does not.
  [[nodiscard]] bool may_match_below(std::string_view folder) const;
  [[nodiscard]] const std::string& pattern() const { return pattern_; }

private:
  enum class kind {
    one,      ///< a character of the set
    star,     ///< any number of characters but `/`
    folders,  ///< nothing, or what `inside` takes
    inside,   ///< anything up to and with a `/`
    rest,     ///< anything
  };
  struct token {
    kind type = kind::one;
    std::bitset<256> set;
  };

  void compile();
  [[nodiscard]] bool run(std::string_view path, bool or_parent) const;
  [[nodiscard]] bool run_literal(std::string_view path, bool or_parent) const;
  /// Adds position `i` and those that are reached from it without a character.
  void enter(std::vector<char>& positions, std::size_t i) const;
  [[nodiscard]] bool step(const std::vector<char>& from, std::vector<char>& to, unsigned char c)
    const;

  std::string pattern_;
  bool literal_ = false;  ///< no character has a meaning of its own
  std::vector<token> tokens_;
};

/// The rules of a .dockerignore: the last pattern that matches a path or one of its parents decides.
/// Lines with `#` first are comments, `!` brings back.
class dockerignore {
public:
  dockerignore() = default;
  explicit dockerignore(std::string_view text);

  /// `path` is relative to the folder of the file, with `/` between its parts.
  [[nodiscard]] bool excludes(std::string_view path) const;
  /// Whether something below an excluded folder may come back, so that it has to be looked into.
  [[nodiscard]] bool may_come_back_below(std::string_view folder) const;
  [[nodiscard]] std::size_t rules() const { return rules_.size(); }
  /// Characters of the longest pattern.
  [[nodiscard]] std::size_t longest() const { return longest_; }

private:
  struct rule {
    glob pattern;
    bool bring_back = false;
  };
  std::vector<rule> rules_;
  std::size_t longest_ = 0;
};

/// `./a//b/` and `/a/b` mean `a/b`.
[[nodiscard]] std::string normal_path(std::string_view path);

/// What stays out of the context that a service is built from; asked with paths relative to the context.
[[nodiscard]] std::function<bool(std::string_view path)> context_filter(
  const messages::service_plan& service);

}  // namespace slipway::domain
