#pragma once

#include "runtime/bus.hpp"

#include <deque>
#include <mutex>
#include <string>

namespace slipway::runtime {

/// Messages that wait for one peer. Open only while the peer is connected. Any thread.
class bus_queue {
public:
  /// False: closed or full.
  bool push(std::string sealed) {
    const std::lock_guard lock(mutex_);
    if (!open_ || messages_.size() >= bus_queue_messages_max || bytes_ >= bus_queue_bytes_max) {
      return false;
    }
    bytes_ += sealed.size();
    messages_.push_back(std::move(sealed));
    return true;
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
    messages_.clear();
    bytes_ = 0;
  }

  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return messages_.empty();
  }

  /// Takes the next messages, in one piece, "" when there are none.
  std::string next_frame() {
    const std::lock_guard lock(mutex_);
    std::string frame;
    for (std::size_t n = 0; n < messages_per_frame_max && !messages_.empty(); ++n) {
      auto& m = messages_.front();
      if (!frame.empty() && frame.size() + m.size() > frame_bytes_wanted) {
        break;
      }
      bytes_ -= m.size();
      frame += m;
      messages_.pop_front();
    }
    return frame;
  }

  static constexpr std::size_t messages_per_frame_max = 64;
  static constexpr std::size_t frame_bytes_wanted = 256U * 1024;

private:
  mutable std::mutex mutex_;
  std::deque<std::string> messages_;
  std::size_t bytes_ = 0;
  bool open_ = false;
};

}  // namespace slipway::runtime
