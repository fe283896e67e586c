#pragma once

#include <string>

namespace slipway::test {

constexpr int blobs = 6;

/// What blob `n` holds: the same in the killed process, in the next one and in the judge.
inline std::string blob_bytes(int n) {
  const std::size_t size = n % 4 == 3 ? 3'000 : 1'500'000 + 400'000 * static_cast<std::size_t>(n);
  std::string out(size, static_cast<char>('a' + n));
  for (std::size_t i = 0; i < size; i += 997) {
    out[i] = static_cast<char>('0' + i % 10);
  }
  return out;
}

inline std::string upload_id(int n) {
  return std::string(31, 'c') + static_cast<char>('0' + n);
}

}  // namespace slipway::test
