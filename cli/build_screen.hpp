#pragma once

#include "cli/build_stream.hpp"
#include "cli/console.hpp"

#include <string>
#include <string_view>

namespace slipway::cli {

/// Shows what a build prints, on stderr and at once: on a terminal as the builder wants it, elsewhere in plain lines, of which those that
/// were rewritten before the next one came are left out.
class build_screen {
public:
  explicit build_screen(console& out);

  void show(const build_element& e);
  /// Ends the line that may still be rewritten.
  void finish();

private:
  void show_line(std::string_view text, const build_element& e);
  void write(const std::string& text);

  console& out_;
  bool terminal_;
  bool colours_;
  bool open_ = false;  ///< the cursor is on a line that shows something
  std::string held_;   ///< without a terminal: a line that may be rewritten
};

}  // namespace slipway::cli
