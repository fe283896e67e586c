#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// The rules of a .dockerignore: the last pattern that matches a path or one of its parents decides.
/// Patterns are Go's filepath.Match with `**`; lines with `#` first are comments, `!` brings back.
class dockerignore {
public:
  dockerignore() = default;
  explicit dockerignore(std::string_view text);

  /// `path` is relative to the context, with `/` between its parts.
  [[nodiscard]] bool excludes(std::string_view path) const;
  /// Whether nothing under an excluded folder can come back, so that it need not be looked into.
  [[nodiscard]] bool may_skip_folders() const { return !has_exceptions_; }

private:
  struct rule {
    std::string pattern;
    bool bring_back = false;
  };
  std::vector<rule> rules_;
  bool has_exceptions_ = false;
};

/// Whether the whole `path` matches; `*` and `?` stop at `/`, `**` does not.
bool glob_matches(std::string_view pattern, std::string_view path);

}  // namespace slipway::domain
