#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

/// What an engine prints while it builds, pulls and pushes.
namespace slipway::domain {

/// Longer lines are cut into several.
constexpr std::size_t output_line_bytes_max = 16U * 1024;

/// Cuts text into lines, whatever the pieces it comes in. A carriage return ends a line that the next one rewrites.
class output_lines {
public:
  /// `replace`: this line rewrites the one before.
  using sink = std::function<void(std::string line, bool replace)>;
  explicit output_lines(sink s) : sink_(std::move(s)) {}

  void feed(std::string_view text);
  void finish();  ///< what is left without a line end

private:
  void put(char c);
  void end_line(bool rewritten_next);

  sink sink_;
  std::string line_;
  bool returned_ = false;  ///< a carriage return was the last character
  bool replace_ = false;
};

/// The classic builder paints what steps write to stderr, piece by piece. Answers the piece as the step wrote it.
[[nodiscard]] std::string_view without_paint(std::string_view piece);

/// Whether every step of a classic build, or one of podman, came from the cache.
class cache_watch {
public:
  void line(std::string_view text);
  /// False too when there were no steps.
  [[nodiscard]] bool all_cached() const { return steps_ > 0 && open_ == 0; }

private:
  std::size_t steps_ = 0;
  std::size_t open_ = 0;  ///< steps that are not known to be cached
  bool past_from_ = false;
};

/// Sums up what the layers of a pull or push tell.
class transfer_meter {
public:
  /// `of` is the layer, "" for words that are about the whole. Answers false when nothing changed for people.
  bool
  take(const std::string& of, std::string_view status, std::int64_t current, std::int64_t total);
  /// `45 %, 12.3 of 27.0 MB`, "" before any bytes are known.
  [[nodiscard]] std::string text() const;

private:
  static constexpr std::size_t layers_max = 1'000;
  struct layer {
    std::int64_t current = 0;
    std::int64_t total = 0;
  };
  std::map<std::string, layer> layers_;
};

/// `12.3 MB`.
[[nodiscard]] std::string megabytes(std::int64_t bytes);
/// A limit as it was set, in the largest unit that makes it a whole number: `16 MiB`, `1 KiB`, `1500 bytes`.
[[nodiscard]] std::string whole_size(std::int64_t bytes);

}  // namespace slipway::domain
