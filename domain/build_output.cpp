#include "domain/build_output.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace slipway::domain {
namespace {

constexpr bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

/// `FROM` of dockerd's `Step 1/3 : FROM x` or podman's `STEP 1/3: FROM x` and `[1/2] STEP 1/3: FROM x`, "" when it is no step.
std::string_view instruction_of(std::string_view line) {
  if (const auto stage = line.find("] ");
      line.starts_with('[') && stage != std::string_view::npos) {
    line.remove_prefix(stage + 2);
  }
  const std::string_view before = line.starts_with("Step ") ? " : " : ": ";
  const auto colon = line.find(before);
  if (
    !(line.starts_with("Step ") || line.starts_with("STEP ")) || colon == std::string_view::npos) {
    return {};
  }
  line.remove_prefix(colon + before.size());
  return line.substr(0, line.find(' '));
}

}  // namespace

void output_lines::end_line(bool rewritten_next) {
  sink_(std::move(line_), replace_);
  line_.clear();
  replace_ = rewritten_next;
}

void output_lines::put(char c) {
  if (returned_ && c != '\n') {
    // Only a return that does not belong to a line end rewrites; of nothing there is nothing to rewrite.
    if (!line_.empty()) {
      end_line(true);
    }
  }
  returned_ = c == '\r';
  if (c == '\n') {
    end_line(false);
  } else if (c != '\r' && (c == '\t' || c == '\x1b' || static_cast<unsigned char>(c) >= 0x20U)) {
    if (line_.size() >= output_line_bytes_max && !is_continuation(c)) {
      end_line(false);
    }
    line_ += c;
  }
}

void output_lines::feed(std::string_view text) {
  for (const char c : text) {
    put(c);
  }
}

void output_lines::finish() {
  if (!line_.empty()) {
    end_line(false);
  }
}

std::string_view without_paint(std::string_view piece) {
  constexpr std::string_view red = "\x1b[91m";
  constexpr std::string_view plain = "\x1b[0m";
  const bool painted =
    piece.size() >= red.size() + plain.size() && piece.starts_with(red) && piece.ends_with(plain);
  return painted ? piece.substr(red.size(), piece.size() - red.size() - plain.size()) : piece;
}

void cache_watch::line(std::string_view text) {
  if (const auto instruction = instruction_of(text); !instruction.empty()) {
    ++steps_;
    past_from_ = past_from_ || instruction == "FROM";
    // A base image is not built, and arguments before it are not layers.
    open_ += instruction == "FROM" || !past_from_ ? 0 : 1;
  } else if ((text == " ---> Using cache" || text.starts_with("--> Using cache ")) && open_ > 0) {
    --open_;
  }
}

bool transfer_meter::take(
  const std::string& of,
  std::string_view status,
  std::int64_t current,
  std::int64_t total) {
  if (of.empty() || (total <= 0 && !layers_.contains(of)) || layers_.size() >= layers_max) {
    return false;
  }
  // Unpacking counts the same bytes again.
  if (status == "Extracting" || status == "Verifying Checksum") {
    return false;
  }
  auto& l = layers_[of];
  const auto before = l.current;
  l.total = std::max(l.total, total);
  l.current = total > 0 ? std::max(l.current, std::min(current, total)) : l.total;
  return l.current != before;
}

std::string transfer_meter::text() const {
  std::int64_t current = 0;
  std::int64_t total = 0;
  for (const auto& [id, l] : layers_) {
    current += l.current;
    total += l.total;
  }
  if (total <= 0) {
    return {};
  }
  auto done = megabytes(current);
  done.resize(done.size() - 3);
  return std::to_string(current * 100 / total) + " %, " + done + " of " + megabytes(total);
}

std::string megabytes(std::int64_t bytes) {
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return out.data();
}

std::string whole_size(std::int64_t bytes) {
  constexpr std::array units{"bytes", "KiB", "MiB", "GiB"};
  constexpr std::int64_t step = 1024;
  std::size_t unit = 0;
  while (unit + 1 < units.size() && bytes != 0 && bytes % step == 0) {
    bytes /= step;
    ++unit;
  }
  return std::to_string(bytes) + " " + units[unit];
}

}  // namespace slipway::domain
