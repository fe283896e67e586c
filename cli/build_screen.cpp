#include "cli/build_screen.hpp"

#include <algorithm>
#include <ostream>

namespace slipway::cli {

namespace {

constexpr const char* empty_line = "\r\x1b[2K";

/// A line that overflows cannot be rewritten. Cuts bytes, not within a character.
std::string cut(std::string text, int width) {
  const auto most = static_cast<std::size_t>(std::max(width, 20) - 1);
  if (text.size() > most) {
    text.resize(most);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) {
      text.pop_back();
    }
  }
  return text;
}

}  // namespace

build_screen::build_screen(console& out)
  : out_(out),
    terminal_(out.how().error_is_terminal),
    colours_(out.how().colours && out.how().error_is_terminal) {}

void build_screen::show(const build_element& e) {
  using kind = build_element::kind;
  if (e.what == kind::line) {
    std::string_view rest = e.text;
    for (bool more = true; more;) {
      const auto end = rest.find('\n');
      show_line(rest.substr(0, end), e);
      more = end != std::string_view::npos;
      rest.remove_prefix(more ? end + 1 : rest.size());
    }
  } else if (terminal_ && e.what == kind::erase) {
    write(empty_line);
  } else if (terminal_ && (e.what == kind::up || e.what == kind::down)) {
    write("\x1b[" + std::to_string(e.number) + (e.what == kind::up ? "A\r" : "B\r"));
    open_ = true;
  }
}

void build_screen::show_line(std::string_view text, const build_element& e) {
  while (text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  text.remove_prefix(text.rfind('\r') + 1);  // what a terminal would show in the end; npos + 1 is 0
  if (e.replace) {
    held_ = cut(printable_output(text, false), terminal_ ? out_.how().width : 1000);
    open_ = terminal_;
    if (terminal_) {
      write(empty_line + held_);
    }
    return;
  }
  auto line = printable_output(text, colours_ && !e.error);
  if (e.error && colours_) {
    line = "\x1b[31m" + line + "\x1b[0m";
  }
  if (terminal_) {
    write((open_ ? empty_line : "") + line + "\n");
  } else {
    write((held_.empty() ? "" : held_ + "\n") + line + "\n");
  }
  open_ = false;
  held_.clear();
}

void build_screen::finish() {
  if (terminal_ ? open_ : !held_.empty()) {
    write((terminal_ ? "" : held_) + "\n");
  }
  open_ = false;
  held_.clear();
}

void build_screen::write(const std::string& text) {
  out_.error_stream() << text << std::flush;
}

}  // namespace slipway::cli
