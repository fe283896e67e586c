#include "cli/progress.hpp"

#include "cli/console.hpp"
#include "runtime/clock.hpp"

#include <algorithm>
#include <charconv>
#include <ostream>

namespace slipway::cli {

namespace {

constexpr std::int64_t redraw_ms_min = 100;
constexpr int bar_width = 24;

const char* word_of(phase p) {
  switch (p) {
    case phase::waiting:
      return "waiting";
    case phase::building:
      return "building";
    case phase::pulling:
      return "pulling";
    case phase::built:
      return "built";
    case phase::pushing:
      return "pushing";
    case phase::done:
      return "done";
    case phase::failed:
      break;
  }
  return "failed";
}

std::string bar(const service_progress& s) {
  const auto total = std::max<std::int64_t>(s.total, 1);
  const auto done = std::clamp<std::int64_t>(s.done, 0, total);
  const auto full = s.at == phase::done || s.at == phase::built
                      ? bar_width
                      : static_cast<int>(done * bar_width / total);
  return "[" + std::string(static_cast<std::size_t>(full), '=')
         + std::string(static_cast<std::size_t>(bar_width - full), ' ') + "]";
}

std::string amount(const service_progress& s) {
  if (s.total <= 0 || s.at == phase::done || s.at == phase::failed) {
    return {};
  }
  return s.at == phase::building ? " " + std::to_string(s.done) + "/" + std::to_string(s.total)
                                 : " " + bytes_text(s.done) + " of " + bytes_text(s.total);
}

bool read_number(std::string_view& text, std::int64_t& n) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (code != std::errc{} || n < 0) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string render_progress(const service_progress& s, std::size_t name_width, int width) {
  std::string name = printable(s.name);
  name.resize(std::max(name_width, name.size()), ' ');
  std::string phase_word = word_of(s.at);
  phase_word.resize(8, ' ');
  auto text = name + "  " + phase_word + " " + bar(s) + amount(s);
  if (!s.text.empty()) {
    text += "  " + printable(s.text);
  }
  const auto most = static_cast<std::size_t>(std::max(width, 20) - 1);
  if (text.size() > most) {
    text.resize(most);
    // Not in the middle of a character.
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0) {
      text.pop_back();
    }
  }
  return text;
}

bool parse_build_step(std::string_view line, std::int64_t& step, std::int64_t& steps) {
  constexpr std::string_view upper = "Step ";
  constexpr std::string_view podman = "STEP ";
  if (!line.starts_with(upper) && !line.starts_with(podman)) {
    return false;
  }
  line.remove_prefix(upper.size());
  std::int64_t a = 0;
  std::int64_t b = 0;
  if (!read_number(line, a) || !line.starts_with('/')) {
    return false;
  }
  line.remove_prefix(1);
  if (!read_number(line, b)) {
    return false;
  }
  step = a;
  steps = b;
  return true;
}

void layer_sum::update(
  const std::string& id,
  std::string_view status,
  std::int64_t current,
  std::int64_t total) {
  if (id.empty()) {
    return;
  }
  auto& l = layers_[id];
  l.total = std::max(l.total, total);
  l.current = std::max(l.current, current);
  const bool complete = status == "Pushed" || status == "Pull complete"
                        || status.starts_with("Layer already exists")
                        || status.starts_with("Mounted from") || status == "Already exists";
  if (complete) {
    l.current = l.total;
  }
}

std::int64_t layer_sum::done() const {
  std::int64_t sum = 0;
  for (const auto& [id, l] : layers_) {
    sum += l.current;
  }
  return sum;
}

std::int64_t layer_sum::total() const {
  std::int64_t sum = 0;
  for (const auto& [id, l] : layers_) {
    sum += std::max(l.total, l.current);
  }
  return sum;
}

progress_board::progress_board(
  std::ostream& out,
  bool terminal,
  int width,
  std::vector<std::string> services)
  : out_(out), terminal_(terminal), width_(width) {
  for (auto& name : services) {
    name_width_ = std::max(name_width_, name.size());
    services_.push_back({std::move(name), phase::waiting, 0, 0, {}});
  }
}

void progress_board::update(const service_progress& s) {
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(services_.begin(), services_.end(), [&](const auto& known) {
    return known.name == s.name;
  });
  if (it == services_.end() || finished_) {
    return;
  }
  const bool changed = it->at != s.at;
  *it = s;
  if (terminal_) {
    draw(changed);
  } else if (changed) {
    out_ << s.name << ": " << word_of(s.at) << (s.text.empty() ? "" : "  ") << printable(s.text)
         << '\n'
         << std::flush;
  }
}

void progress_board::output(const std::string& service, std::string_view line) {
  if (!terminal_) {
    const std::lock_guard lock(mutex_);
    out_ << service << ": " << printable(line) << '\n' << std::flush;
  }
}

void progress_board::finish() {
  const std::lock_guard lock(mutex_);
  if (terminal_ && !finished_) {
    draw(true);
  }
  finished_ = true;
}

void progress_board::draw(bool force) {
  const auto now = runtime::steady_ms();
  if (!force && now - drawn_at_ms_ < redraw_ms_min) {
    return;
  }
  drawn_at_ms_ = now;
  std::string frame;
  if (drawn_lines_ > 0) {
    frame += "\x1b[" + std::to_string(drawn_lines_) + "A";
  }
  for (const auto& s : services_) {
    frame += "\r\x1b[2K" + render_progress(s, name_width_, width_) + "\n";
  }
  drawn_lines_ = static_cast<int>(services_.size());
  out_ << frame << std::flush;
}

transfer_bar::transfer_bar(console& out, const std::string& name, phase at, std::int64_t total)
  : state_{name, at, 0, total, {}} {
  if (out.how().error_is_terminal && !out.json()) {
    board_.emplace(out.error_stream(), true, out.how().width, std::vector<std::string>{name});
  }
}

void transfer_bar::set(std::int64_t done) {
  state_.done = done;
  show();
}

void transfer_bar::finish(bool well) {
  state_.at = well ? phase::done : phase::failed;
  show();
  if (board_) {
    board_->finish();
  }
}

void transfer_bar::show() {
  if (board_) {
    board_->update(state_);
  }
}

}  // namespace slipway::cli
