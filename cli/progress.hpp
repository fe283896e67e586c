#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::cli {

class console;

enum class phase { waiting, building, pulling, built, pushing, done, failed };

/// Where one service stands.
struct service_progress {
  std::string name;
  phase at = phase::waiting;
  std::int64_t done = 0;   ///< bytes, or steps while building
  std::int64_t total = 0;  ///< 0 = not known
  std::string text;        ///< what goes on, untrusted
};

/// One line of at most `width` characters.
std::string render_progress(const service_progress& s, std::size_t name_width, int width);

/// `Step 3/7 : RUN make` -> 3 and 7; false for other lines.
bool parse_build_step(std::string_view line, std::int64_t& step, std::int64_t& steps);

/// Sums what an engine tells of each layer.
class layer_sum {
public:
  void
  update(const std::string& id, std::string_view status, std::int64_t current, std::int64_t total);
  [[nodiscard]] std::int64_t done() const;
  [[nodiscard]] std::int64_t total() const;

private:
  struct layer {
    std::int64_t current = 0;
    std::int64_t total = 0;
  };
  std::map<std::string, layer> layers_;
};

/// A bar per service that is redrawn in place on a terminal; elsewhere a plain line at each change of phase and each build
/// line. May be used from several threads.
class progress_board {
public:
  progress_board(std::ostream& out, bool terminal, int width, std::vector<std::string> services);

  void update(const service_progress& s);
  /// A line of a build's output.
  void output(const std::string& service, std::string_view line);
  /// Draws the last state; later calls do nothing.
  void finish();

private:
  void draw(bool force);

  std::mutex mutex_;
  std::ostream& out_;
  bool terminal_;
  int width_;
  std::size_t name_width_ = 0;
  std::vector<service_progress> services_;
  int drawn_lines_ = 0;
  std::int64_t drawn_at_ms_ = 0;
  bool finished_ = false;
};

/// A bar for the bytes of one transfer on a terminal, nothing elsewhere: scripts want no lines that say nothing.
class transfer_bar {
public:
  transfer_bar(console& out, const std::string& name, phase at, std::int64_t total);

  void add(std::int64_t bytes) { set(state_.done + bytes); }
  void set(std::int64_t done);
  /// Later calls do nothing.
  void finish(bool well);
  [[nodiscard]] std::int64_t done() const { return state_.done; }

private:
  void show();

  service_progress state_;
  std::optional<progress_board> board_;
};

}  // namespace slipway::cli
