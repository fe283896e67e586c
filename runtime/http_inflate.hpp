#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace slipway::runtime {

/// Inflates a gzip stream in pieces into a bounded string. zlib stays out of this header.
class gzip_inflater {
public:
  gzip_inflater();
  ~gzip_inflater();
  gzip_inflater(const gzip_inflater&) = delete;
  gzip_inflater& operator=(const gzip_inflater&) = delete;

  /// Appends what `bytes` inflate to. Errors: too_large past `bytes_max` of `out`, invalid_argument.
  [[nodiscard]] messages::result<void>
  feed(std::string_view bytes, std::string& out, std::size_t bytes_max);
  /// Whether the stream came to its end.
  [[nodiscard]] bool finished() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
