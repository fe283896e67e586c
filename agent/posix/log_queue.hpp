#pragma once

#include "agent/log_ports.hpp"

#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>

namespace slipway::agent {

/// The queue of log records as files: docs/formats/log-queue.md. What `append` and `drop` did survives the death of the process. Nothing is
/// synced: most records are shipped, and their files deleted, before the kernel would write them to flash.
class log_queue : public log_queue_port {
public:
  struct options {
    std::filesystem::path folder;
    std::uint64_t bytes_max = 4U << 20U;  ///< past it the oldest segment goes
    std::uint64_t segment_bytes = 256U << 10U;
  };
  /// A queue that cannot be read begins anew. Errors: io_failed (the folder).
  [[nodiscard]] static messages::result<std::unique_ptr<log_queue>> open(options o);

  log_positions positions() override;
  messages::result<void> append(std::string_view records, const log_positions& positions) override;
  messages::result<log_portion> peek(std::size_t bytes_max) override;
  messages::result<void> drop(const log_portion& p) override;
  messages::result<void> clear() override;

private:
  struct segment {
    std::uint64_t number = 0;
    std::uint64_t bytes = 0;
    std::uint64_t lines = 0;  ///< of those behind the queue's head
  };
  /// All that a restart has to know; written after the records that it speaks of.
  struct state {
    std::uint64_t version = 0;
    std::uint64_t head_segment = 1;
    std::uint64_t head_offset = 0;
    std::uint64_t tail_segment = 1;
    std::uint64_t tail_bytes = 0;
    std::uint64_t lost = 0;
    log_positions positions;
  };

  explicit log_queue(options o) : o_(std::move(o)) {}
  [[nodiscard]] messages::result<void> load();
  [[nodiscard]] messages::result<void> save(state next);
  [[nodiscard]] std::filesystem::path file(std::uint64_t which) const;
  [[nodiscard]] state read_state(const char* name) const;
  void make_room(state& next, std::deque<segment>& segments) const;
  void remove_before(std::uint64_t first);

  options o_;
  std::mutex mutex_;
  state state_;
  std::uint64_t removed_before_ = 0;
  std::deque<segment> segments_;  ///< head to tail; never empty once open
};

}  // namespace slipway::agent
