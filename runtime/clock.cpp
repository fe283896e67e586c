#include "runtime/clock.hpp"

#include <chrono>

namespace slipway::runtime {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::int64_t now_ms() {
  return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::int64_t steady_ms() {
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace slipway::runtime
