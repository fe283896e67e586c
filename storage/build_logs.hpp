#pragma once

#include "messages/build_bus.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

/// What builds print: a file per release, one JSON object a line (docs/formats/build-log.md).
namespace slipway::storage {

/// Safe from any thread. A log has one writer, the build's actor, and any number of readers.
class build_logs {
public:
  virtual ~build_logs() = default;

  /// Adds lines and wakes who follows. Lines past `bytes_max` of a log are dropped, with one line that says so.
  /// Errors: io_failed, disk_full.
  [[nodiscard]] virtual messages::result<void>
  append(std::int64_t release, std::int64_t time, std::span<const messages::output_line> lines) = 0;
  /// The last line: how the build ended. Synced. Nothing follows it.
  [[nodiscard]] virtual messages::result<void>
  finish(std::int64_t release, std::int64_t time, std::string_view status) = 0;
  [[nodiscard]] virtual messages::result<void> remove(std::int64_t release) = 0;

  struct part {
    std::string bytes;  ///< whole lines
    bool over = false;  ///< nothing will follow them
  };
  /// Up to `bytes_max` from `offset`, which is 0 or where another part ended. Errors: not_found, invalid_argument, io_failed.
  [[nodiscard]] virtual messages::result<part>
  read(std::int64_t release, std::uint64_t offset, std::size_t bytes_max) const = 0;

  /// `wake` is called after each append until the result is destroyed. It must not block.
  [[nodiscard]] virtual std::shared_ptr<void> follow(
    std::int64_t release,
    std::function<void()> wake) = 0;
};

/// The last line of a log, for who must be told of an end that the log lacks.
[[nodiscard]] std::string build_log_end(std::int64_t time, std::string_view status);

struct build_log_options {
  std::string folder;
  std::uint64_t bytes_max = 16U << 20U;  ///< of one log
};
/// Errors: io_failed.
[[nodiscard]] messages::result<std::unique_ptr<build_logs>> open_build_logs(build_log_options o);

}  // namespace slipway::storage
