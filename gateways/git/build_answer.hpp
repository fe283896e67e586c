#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace slipway::gateways::git {

/// Reads the answer of the builder, one JSON array that grows while things happen (docs/protocols/builder.md), and makes lines of it for a
/// terminal behind git: `remote:` lines. Its bytes are trusted as far as their size goes, no further.
class build_answer {
public:
  /// `print` gets whole lines with their ends, as they come.
  explicit build_answer(std::function<void(std::string_view)> print) : print_(std::move(print)) {}

  /// False = this is no such answer; nothing more is wanted.
  [[nodiscard]] bool feed(std::string_view bytes);

  /// The array came to its end, and nothing in it says that the build failed.
  [[nodiscard]] bool succeeded() const { return ended_ && !failed_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::int64_t release() const { return release_; }

private:
  [[nodiscard]] bool take(char c);
  [[nodiscard]] bool take_element();
  void show(std::string text, bool replaces);

  std::function<void(std::string_view)> print_;
  std::string element_;
  int depth_ = 0;  ///< of braces and brackets; 1 = in the array
  bool in_text_ = false;
  bool escaped_ = false;
  bool ended_ = false;
  bool failed_ = false;
  bool rewriting_ = false;  ///< the cursor is at the begin of a line that may be replaced
  std::int64_t release_ = 0;
};

}  // namespace slipway::gateways::git
