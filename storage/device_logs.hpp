#pragma once

#include "messages/error.hpp"
#include "messages/fields.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
}

namespace slipway::storage {

/// One line of a device's log.
struct log_line {
  std::int64_t created_ms = 0;    ///< when the server took it
  std::int64_t timestamp_ms = 0;  ///< by the device's clock
  std::int64_t service = 0;       ///< row id, 0 = not a service's
  bool is_system = false;         ///< of the agent itself
  bool is_stderr = false;
  std::string message;
  SLIPWAY_FIELDS(created_ms, timestamp_ms, service, is_system, is_stderr, message)
  friend bool operator==(const log_line&, const log_line&) = default;
};

struct log_batch {
  std::int64_t device = 0;
  std::vector<log_line> lines;
};

/// Which lines of a device are there. Sequence numbers count from 1 without a gap and are never given twice.
struct log_extent {
  std::uint64_t first = 1;
  std::uint64_t last = 0;
  std::uint64_t bytes = 0;     ///< of keys and values, before compression
  std::int64_t oldest_ms = 0;  ///< `created_ms` of the first
  SLIPWAY_FIELDS(first, last, bytes, oldest_ms)
  [[nodiscard]] std::uint64_t lines() const { return last + 1 - first; }
  friend bool operator==(const log_extent&, const log_extent&) = default;
};

/// What is kept of one device; the oldest lines go first.
struct log_retention {
  std::uint64_t lines_max = 100'000;
  std::uint64_t bytes_max = 4U << 20U;
  std::int64_t age_ms_max = std::int64_t{30} * 24 * 3'600'000;
};

/// Logs of devices, in a RocksDB of their own beside the event log: much is written, and all of it can be spared (ADR 65).
/// Changes are made by one thread at a time; reads by any.
class device_logs {
public:
  virtual ~device_logs() = default;

  /// Appends in one write, and trims what is past the retention. When it returns the lines are visible and survive the death of
  /// this process; with `durable`, that of the machine too. Answers what is there of each batch's device afterwards.
  /// Errors: disk_full (also: less than the reserve is free), io_failed; the outcome is then unknown.
  [[nodiscard]] virtual messages::result<std::vector<log_extent>> append(
    std::span<const log_batch> batches,
    bool durable) = 0;
  /// Makes all that was appended durable.
  [[nodiscard]] virtual messages::result<void> sync() = 0;
  /// Forgets a device.
  [[nodiscard]] virtual messages::result<void> remove(std::int64_t device) = 0;
  /// A bounded step of the round over all devices: removes those that do not `exist`, and lines past their age. False when it has come
  /// to the end and will begin anew.
  [[nodiscard]] virtual messages::result<bool> sweep(
    std::int64_t now_ms,
    const std::function<bool(std::int64_t device)>& exists) = 0;

  /// Any thread.
  [[nodiscard]] virtual messages::result<log_extent> extent(std::int64_t device) const = 0;
  /// Lines after number `after`, oldest first, until `visit` returns false. Any thread.
  [[nodiscard]] virtual messages::result<void> read(
    std::int64_t device,
    std::uint64_t after,
    const std::function<bool(std::uint64_t number, const log_line&)>& visit) const = 0;
};

struct device_log_options {
  std::string path;
  rocksdb::Env* env = nullptr;  ///< null = the real file system
  log_retention retention;
  /// Nothing is appended while the file system has less than this free: the event log needs it more.
  std::uint64_t reserve_bytes = 256U << 20U;
};

/// Creates it when there is none. Errors: io_failed (also: open elsewhere), disk_full, corrupt, unsupported.
[[nodiscard]] messages::result<std::unique_ptr<device_logs>> open_device_logs(device_log_options o);

/// Lines that one step trims from a device, and devices that one step of a sweep looks at.
constexpr std::size_t log_trim_step_lines = 4096;
constexpr std::size_t log_sweep_step_devices = 512;

}  // namespace slipway::storage
