#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

/// Insides of the container engine client.
namespace slipway::runtime {

/// The framing of output of a container without a terminal: a stream number, three zeros, a length, the bytes.
class log_splitter {
public:
  /// `sink(error, begins, bytes)` is called with each part of a frame, `begins` with its first; false gives up.
  template <class Sink>
  bool feed(std::string_view bytes, const Sink& sink) {
    while (!bytes.empty()) {
      if (left_ > 0) {
        const auto n = std::min<std::size_t>(left_, bytes.size());
        if (!sink(error_, begins_, bytes.substr(0, n))) {
          return false;
        }
        begins_ = false;
        left_ -= n;
        bytes.remove_prefix(n);
        continue;
      }
      head_[filled_++] = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      if (filled_ == head_.size()) {
        filled_ = 0;
        begins_ = true;
        error_ = head_[0] == 2;
        left_ = (std::size_t{head_[4]} << 24U) | (std::size_t{head_[5]} << 16U)
                | (std::size_t{head_[6]} << 8U) | head_[7];
      }
    }
    return true;
  }

private:
  std::array<unsigned char, 8> head_{};
  std::size_t filled_ = 0;
  std::size_t left_ = 0;
  bool error_ = false;
  bool begins_ = false;
};

}  // namespace slipway::runtime
