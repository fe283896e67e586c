#pragma once

#include "storage/command_memory.hpp"
#include "storage/database.hpp"
#include "storage/generation_cache.hpp"
#include "storage/id_allocator.hpp"
#include "storage/plan.hpp"
#include "storage/projection.hpp"
#include "storage/store.hpp"

#include <rocksdb/snapshot.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <mutex>
#include <optional>

namespace slipway::storage {

/// The log on RocksDB: the one writer. A call's events, rows, indices, versions and commands are one write batch (ADR 10).
class embedded_log : public event_log {
public:
  [[nodiscard]] static result<std::shared_ptr<embedded_log>> open(
    std::shared_ptr<database> d,
    std::shared_ptr<const plan> p);

  [[nodiscard]] std::vector<messages::result<messages::appended>> append(
    std::span<const messages::commit> commits) override;
  [[nodiscard]] messages::result<void> read(
    int partition,
    std::uint64_t from_seq,
    const std::function<bool(const messages::log_record&)>& visit) const override;
  [[nodiscard]] heads last() const override;
  [[nodiscard]] messages::result<std::uint64_t> version(messages::entity_ref entity) const override;
  [[nodiscard]] messages::result<std::optional<messages::appended>> answered(
    const messages::command_id& command) const override {
    return commands_->stored(command);
  }
  [[nodiscard]] std::int64_t next_id(int partition) override { return ids_->next(partition); }

  /// A snapshot and what is needed to tell exactly which commits are in it, although a write may be under way.
  struct instant {
    const rocksdb::Snapshot* snapshot = nullptr;
    heads before{};
    std::optional<heads> pending;  ///< of the write under way: in the snapshot whole or not at all
  };
  [[nodiscard]] instant now() const;

private:
  embedded_log(std::shared_ptr<database> d, std::shared_ptr<const plan> p);
  [[nodiscard]] result<messages::appended> stage(const messages::commit& c);
  [[nodiscard]] result<std::uint64_t> known_version(messages::entity_ref entity);
  [[nodiscard]] result<void> write_batch();
  [[nodiscard]] result<void> check_space();
  [[nodiscard]] result<void> trim_commands();
  void forget_call();

  std::shared_ptr<database> database_;
  std::shared_ptr<const plan> plan_;
  std::unique_ptr<id_allocator> ids_;
  std::unique_ptr<command_memory> commands_;
  projection projection_;
  generation_cache<messages::entity_ref, std::uint64_t> versions_;
  rocksdb::WriteBatch batch_;
  heads next_{};  // heads after what is staged
  std::array<std::int64_t, messages::partition_count>
    touched_{};  // time of the latest commit of this call
  std::string key_;
  std::string value_;
  std::int64_t space_checked_ms_ = 0;
  std::atomic<bool> appending_ = false;
  std::optional<messages::error> failed_;

  mutable std::mutex mutex_;  // guards the two below
  heads heads_{};
  std::optional<heads> pending_;
};

}  // namespace slipway::storage
