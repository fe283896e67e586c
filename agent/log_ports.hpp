#pragma once

#include "messages/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What the log shipper wants of the world; `posix/` implements it, tests fake it.
namespace slipway::agent {

/// How far a container's output has been taken: to the lines of one instant, of which so many.
struct log_position {
  std::int64_t time_ns = 0;  ///< since 1970, by the engine's clock
  std::int64_t lines = 0;    ///< of exactly that time
  friend bool operator==(const log_position&, const log_position&) = default;
};
/// By container id.
using log_positions = std::map<std::string, log_position>;

/// The oldest records of the queue.
struct log_portion {
  std::string text;  ///< JSON records, each with its line end; "" = none
  std::uint64_t lines = 0;
  std::uint64_t lost = 0;  ///< records that were dropped before these because the queue was full
  std::uint64_t segment = 0;
  std::uint64_t end = 0;
};

/// Records that wait for the platform. Two threads may use it.
class log_queue_port {
public:
  log_queue_port() = default;
  log_queue_port(const log_queue_port&) = delete;
  log_queue_port& operator=(const log_queue_port&) = delete;
  virtual ~log_queue_port() = default;
  [[nodiscard]] virtual log_positions positions() = 0;
  /// Adds records, each with its line end, and with them, in one step, how far the output has been taken. Oldest records make room.
  /// Errors: disk_full, io_failed; nothing has changed then.
  [[nodiscard]] virtual messages::result<void> append(
    std::string_view records,
    const log_positions& positions) = 0;
  /// Up to `bytes_max`, whole records.
  [[nodiscard]] virtual messages::result<log_portion> peek(std::size_t bytes_max) = 0;
  /// The platform has it.
  [[nodiscard]] virtual messages::result<void> drop(const log_portion& p) = 0;
  /// Nothing waits any more.
  [[nodiscard]] virtual messages::result<void> clear() = 0;
};

/// A container of this device.
struct log_source {
  std::string container;
  std::int64_t service = 0;
  std::string started;  ///< when, as the engine says: another text is another run
  bool terminal = false;
};

struct log_bytes {
  std::string_view container;
  bool error = false;
  bool begins = false;  ///< of what the container wrote at once
  std::string_view bytes;
};

/// Output of this device's containers. Blocking; one thread at a time.
class log_output_port {
public:
  log_output_port() = default;
  log_output_port(const log_output_port&) = delete;
  log_output_port& operator=(const log_output_port&) = delete;
  virtual ~log_output_port() = default;
  [[nodiscard]] virtual messages::result<std::vector<log_source>> sources() = 0;
  /// Follows from `since` (seconds since 1970, 0 = the start), at most the last `tail` lines (-1 = all).
  [[nodiscard]] virtual messages::result<void>
  open(const log_source& s, std::int64_t since, int tail) = 0;
  virtual void close(const std::string& container) = 0;
  /// Hands on what comes; answers containers whose output has ended.
  [[nodiscard]] virtual std::vector<std::string> run(
    std::chrono::milliseconds wait,
    std::size_t bytes_max,
    const std::function<void(const log_bytes&)>& take) = 0;
  /// Any thread: ends a call.
  virtual void cancel() = 0;
};

}  // namespace slipway::agent
