#include "gateways/device/log_feed.hpp"

#include <algorithm>

namespace slipway::gateways::device {

using messages::result;
using storage::log_line;

namespace {

/// Those behind the newest are for readers that are a little late.
constexpr std::size_t pieces_max = 2;

}  // namespace

void log_tail::advance(std::uint64_t last) {
  auto known = head_.load(std::memory_order_relaxed);
  while (known < last && !head_.compare_exchange_weak(known, last, std::memory_order_release)) {
  }
}

void log_tail::add(const std::shared_ptr<waker>& wake) {
  const std::lock_guard lock(wakers_mutex_);
  std::erase_if(wakers_, [](const auto& w) { return w.expired(); });
  wakers_.push_back(wake);
}

void log_tail::wake_all() {
  const std::lock_guard lock(wakers_mutex_);
  for (const auto& weak : wakers_) {
    if (const auto wake = weak.lock()) {
      (*wake)();
    }
  }
}

std::size_t log_tail::followers() {
  const std::lock_guard lock(wakers_mutex_);
  std::erase_if(wakers_, [](const auto& w) { return w.expired(); });
  return wakers_.size();
}

result<std::shared_ptr<const log_piece>> log_tail::read(
  std::uint64_t after,
  std::uint64_t until,
  std::size_t bytes,
  std::int64_t start_ms) const {
  auto piece = std::make_shared<log_piece>();
  const auto done = store_->read(device_, after, [&](std::uint64_t number, const log_line& line) {
    if (number > until) {
      return false;
    }
    piece->first = piece->first == 0 ? number : piece->first;
    piece->last = number;
    if (line.timestamp_ms >= start_ms) {
      append_log_record(piece->text, line);
      piece->text += '\n';
    }
    return piece->text.size() < bytes;
  });
  if (!done) {
    return tl::unexpected(done.error());
  }
  return piece->last == 0 ? nullptr : std::shared_ptr<const log_piece>(std::move(piece));
}

result<std::shared_ptr<const log_piece>> log_tail::after(std::uint64_t after, std::size_t bytes) {
  const auto until = head();
  if (after >= until) {
    return std::shared_ptr<const log_piece>();
  }
  const std::lock_guard lock(pieces_mutex_);
  for (const auto& p : pieces_) {
    if (p->first == after + 1) {
      return p;
    }
  }
  const bool newer = pieces_.empty() || after >= pieces_.back()->last;
  auto made = read(after, until, bytes, 0);
  if (made && *made && newer) {
    pieces_.push_back(*made);
    if (pieces_.size() > pieces_max) {
      pieces_.pop_front();
    }
  }
  return made;
}

result<log_feed::piece> log_feed::next_piece() {
  const auto head = tail_->head();
  if (in_history()) {
    auto made = tail_->read(position_, history_end_, limits_.piece_bytes, start_ms_);
    if (made && !*made) {
      position_ = history_end_;  // the rest of it has been trimmed
    } else if (made) {
      position_ = (*made)->last;
    }
    return made;
  }
  if (head > position_ && head - position_ > limits_.lag_lines_max) {
    const auto to = head - std::min(limits_.lag_lines_kept, limits_.lag_lines_max);
    left_out_ += to - position_;
    position_ = to;
  }
  auto made = tail_->after(position_, limits_.piece_bytes);
  if (made && *made) {
    left_out_ += (*made)->first - position_ - 1;  // trimmed before they could be read
    position_ = (*made)->last;
  }
  return made;
}

std::string log_feed::left_out(std::uint64_t lines, std::int64_t now_ms) const {
  log_line line;
  line.created_ms = line.timestamp_ms = now_ms;
  line.is_system = line.is_stderr = true;
  line.message = "Warning: " + std::to_string(lines)
                 + " log lines were left out, because this reader is slower than the device writes";
  std::string text;
  append_log_record(text, line);
  text += '\n';
  return text;
}

result<std::shared_ptr<const std::string>> log_feed::next(std::int64_t now_ms) {
  static const auto heartbeat = std::make_shared<const std::string>("\n");
  auto made = next_piece();
  if (!made) {
    return tl::unexpected(made.error());
  }
  if (left_out_ > 0) {
    auto text = left_out(std::exchange(left_out_, 0), now_ms);
    if (*made) {
      text += (*made)->text;
    }
    told_ms_ = now_ms;
    return std::make_shared<const std::string>(std::move(text));
  }
  if (*made) {
    if (!(*made)->text.empty()) {
      told_ms_ = now_ms;
    }
    return std::shared_ptr<const std::string>(*made, &(*made)->text);
  }
  if (now_ms >= due_ms()) {
    told_ms_ = now_ms;
    return heartbeat;
  }
  return std::shared_ptr<const std::string>();
}

}  // namespace slipway::gateways::device
