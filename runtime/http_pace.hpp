#pragma once

#include <algorithm>
#include <cstdint>

namespace slipway::runtime {

/// How long a client may still be waited for. Waiting uses it up and bytes earn it back, up to what it was at the beginning: a client
/// that stops, and one that is slower than the rate on average, both run out of it; a fast start does not pay for a slow end.
class pace {
public:
  void begin(int seconds) { most_ms_ = left_ms_ = std::int64_t{seconds} * 1000; }
  [[nodiscard]] std::int64_t left_ms() const { return left_ms_; }
  /// After `ms` of waiting `bytes` went by; `rate` is bytes per second.
  void waited(std::int64_t ms, std::uint64_t bytes, std::uint64_t rate) {
    const auto enough = static_cast<std::uint64_t>(most_ms_) * rate / 1000;
    const auto earned = bytes >= enough ? most_ms_ : static_cast<std::int64_t>(bytes * 1000 / rate);
    left_ms_ = std::min(std::max<std::int64_t>(left_ms_ - ms, 0) + earned, most_ms_);
  }

private:
  std::int64_t most_ms_ = 0;
  std::int64_t left_ms_ = 0;
};

/// Bytes of this TCP connection that its peer's kernel has acknowledged; 0 when it cannot be told.
[[nodiscard]] std::uint64_t bytes_acknowledged(int socket);

}  // namespace slipway::runtime
