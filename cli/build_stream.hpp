#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace slipway::cli {

/// One element of a builder's answer (docs/protocols/builder.md; balena-api.md 5.4).
struct build_element {
  enum class kind {
    line,     ///< `text`
    erase,    ///< the terminal's line becomes empty
    up,       ///< the terminal's cursor goes up by `number` lines
    down,     ///< and down
    release,  ///< `number` is the id of the release that is built
  };
  kind what = kind::line;
  std::string text;      ///< untrusted, without line ends at its end
  bool replace = false;  ///< rewrites what the terminal's line shows
  bool error = false;    ///< the build failed
  std::int64_t number = 0;
};

/// Takes a builder's answer apart while it comes, in pieces of any size. Untrusted input.
class build_stream {
public:
  /// An element that is longer ends the answer.
  static constexpr std::size_t element_bytes_max = 1U << 20U;
  static constexpr std::int64_t cursor_lines_max = 200;

  explicit build_stream(std::function<void(const build_element&)> sink) : sink_(std::move(sink)) {}

  /// Elements of unknown types are left out. Errors, after which nothing more may be fed: corrupt (not an array of objects), too_large.
  [[nodiscard]] messages::result<void> feed(std::string_view bytes);
  /// The end of the array was there.
  [[nodiscard]] bool complete() const { return at_ == place::after; }

private:
  enum class place { before, between, inside, after };

  [[nodiscard]] messages::result<void> step(char c);
  [[nodiscard]] messages::result<void> step_inside(char c);
  [[nodiscard]] messages::result<void> element();

  std::function<void(const build_element&)> sink_;
  place at_ = place::before;
  std::string element_;
  int depth_ = 0;
  bool in_text_ = false;
  bool escaped_ = false;
};

}  // namespace slipway::cli
