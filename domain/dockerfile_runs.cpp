#include "domain/dockerfile_runs.hpp"

#include <algorithm>
#include <deque>
#include <utility>

namespace slipway::domain {
namespace {

constexpr std::string_view blanks = " \t\r";

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_word(char c) {
  return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool same_word(std::string_view a, std::string_view lower_case) {
  return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(), [](char x, char y) {
    return lower(x) == y;
  });
}

std::string_view without_blanks_before(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  return line;
}

std::string_view without_blanks_behind(std::string_view line) {
  const auto last = line.find_last_not_of(blanks);
  return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// A here-document that a line begins.
struct document {
  std::string_view end;  ///< the line that ends it
  bool tabs = false;     ///< which may stand behind tabs
  [[nodiscard]] bool ends_at(std::string_view line) const {
    if (tabs) {
      line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
    }
    return (line.ends_with('\r') ? line.substr(0, line.size() - 1) : line) == end;
  }
};

class reader {
public:
  reader(std::string_view text, std::string_view flags) : rest_(text), flags_(flags) {}

  std::string run() {
    while (!rest_.empty()) {
      const auto end = rest_.find('\n');
      const auto line = rest_.substr(0, end);
      rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
      take(line);
      out_ += end == std::string_view::npos ? "" : "\n";
    }
    return std::move(out_);
  }

private:
  void take(std::string_view line) {
    if (!documents_.empty()) {
      out_ += line;
      if (documents_.front().ends_at(line)) {
        documents_.pop_front();
      }
      return;
    }
    const auto content = without_blanks_before(line);
    if (content.empty() || content.front() == '#') {
      read_directive(content);
      out_ += line;
      return;  // between continued lines they change nothing
    }
    at_top_ = false;
    if (!continued_) {
      begin_instruction(line, content);
    } else {
      out_ += line;
    }
    if (takes_documents_) {
      find_documents(content);
    }
    continued_ = without_blanks_behind(content).ends_with(escape_);
    if (!continued_) {
      documents_.swap(begun_);
      begun_.clear();
    }
  }

  void begin_instruction(std::string_view line, std::string_view content) {
    const auto word = content.substr(0, content.find_first_of(blanks));
    const bool runs = same_word(word, "run");
    takes_documents_ = runs || same_word(word, "copy") || same_word(word, "add");
    if (!runs) {
      out_ += line;
      return;
    }
    const auto behind = static_cast<std::size_t>(content.data() - line.data()) + word.size();
    out_.append(line.substr(0, behind)).append(" ").append(flags_).append(line.substr(behind));
  }

  /// `# escape=\`` counts above everything else only.
  void read_directive(std::string_view comment) {
    const auto equals = comment.find('=');
    at_top_ = at_top_ && equals != std::string_view::npos;
    if (at_top_) {
      const auto name = without_blanks_behind(without_blanks_before(comment.substr(1, equals - 1)));
      const auto value = without_blanks_behind(without_blanks_before(comment.substr(equals + 1)));
      if (same_word(name, "escape") && value.size() == 1) {
        escape_ = value.front();
      }
    }
  }

  void find_documents(std::string_view line) {
    for (auto at = line.find("<<"); at != std::string_view::npos; at = line.find("<<", at + 2)) {
      // `1<<2` and `<<<` are none; `3<<END` is one.
      auto before = at;
      while (before > 0 && line[before - 1] >= '0' && line[before - 1] <= '9') {
        --before;
      }
      if (before > 0 && blanks.find(line[before - 1]) == std::string_view::npos) {
        continue;
      }
      auto name = line.substr(at + 2);
      document d;
      d.tabs = name.starts_with('-');
      name.remove_prefix(d.tabs ? 1 : 0);
      name.remove_prefix(name.starts_with('"') || name.starts_with('\'') ? 1 : 0);
      d.end = name.substr(
        0,
        static_cast<std::size_t>(
          std::find_if_not(name.begin(), name.end(), is_word) - name.begin()));
      if (!d.end.empty() && is_ended(d)) {
        begun_.push_back(d);
      }
    }
  }

  /// What no line ends is no here-document: engines without them read on.
  [[nodiscard]] bool is_ended(const document& d) const {
    for (auto rest = rest_; !rest.empty();) {
      const auto end = rest.find('\n');
      if (d.ends_at(rest.substr(0, end))) {
        return true;
      }
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return false;
  }

  std::string_view rest_;
  std::string_view flags_;
  std::string out_;
  char escape_ = '\\';
  bool at_top_ = true;  ///< only directives so far
  bool continued_ = false;
  bool takes_documents_ = false;
  std::deque<document> begun_;  ///< by the instruction under way
  std::deque<document> documents_;
};

}  // namespace

std::string with_run_flags(std::string_view dockerfile, std::string_view flags) {
  return reader(dockerfile, flags).run();
}

}  // namespace slipway::domain
