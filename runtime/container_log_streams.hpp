#pragma once

#include "messages/error.hpp"
#include "runtime/container_engine.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::runtime {

/// Bytes that a container printed, as they come: lines end where they end.
struct container_output {
  std::string_view container;
  bool error = false;  ///< stderr; a container with a terminal has stdout only
  bool begins =
    false;  ///< the first part of what the container wrote at once; never of one with a terminal
  std::string_view bytes;
};

/// Follows the output of many containers on one thread. Each has a connection of its own and little else: `GET /containers/{id}/logs`
/// of the Docker Engine API, with timestamps.
class container_log_streams {
public:
  explicit container_log_streams(std::string endpoint);
  ~container_log_streams();

  struct source {
    std::string container;
    bool terminal = false;   ///< no frames
    std::int64_t since = 0;  ///< seconds since 1970, 0 = from the start
    int tail = -1;           ///< only so many lines, -1 = all
  };
  /// Begins to follow. Errors: those of the engine's version call.
  [[nodiscard]] messages::result<void> open(const source& s);
  void close(const std::string& container);
  [[nodiscard]] bool is_open(const std::string& container) const;

  using sink = std::function<void(const container_output&)>;
  /// Hands on what comes within `wait`, and no more than about `bytes_max` of it: the rest stays with the engine. Answers whose output
  /// has ended, by itself or by a failure.
  [[nodiscard]] std::vector<std::string>
  run(std::chrono::milliseconds wait, std::size_t bytes_max, const sink& take);
  /// Any thread: ends a `run` soon.
  void wake();

private:
  struct stream;
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace slipway::runtime
