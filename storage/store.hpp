#pragma once

#include "domain/row_source.hpp"
#include "domain/schema.hpp"
#include "messages/error.hpp"
#include "messages/event.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace slipway::storage {

/// The log: what happened, in order, per partition. Embedded: RocksDB. Cluster: one JetStream stream per partition.
class event_log {
public:
  virtual ~event_log() = default;

  /// Appends commits of any partitions in one synced write; each succeeds or fails on its own, all that succeed are durable
  /// when this returns. A later commit of the same call sees the earlier ones. Called by one thread at a time.
  /// Errors: conflict (expected_version, or a row is not as the events assume), unique_violated, io_failed, disk_full. After
  /// io_failed or disk_full nothing of the call is acknowledged and its outcome is unknown.
  [[nodiscard]] virtual std::vector<messages::result<messages::appended>> append(
    std::span<const messages::commit> commits) = 0;

  /// Records of one partition from `from_seq` on, until `visit` returns false or the end is reached. Any thread.
  [[nodiscard]] virtual messages::result<void> read(
    int partition,
    std::uint64_t from_seq,
    const std::function<bool(const messages::log_record&)>& visit) const = 0;

  /// The last sequence number of each partition, 0 = empty. Any thread.
  using heads = std::array<std::uint64_t, messages::partition_count>;
  [[nodiscard]] virtual heads last() const = 0;

  /// Commits of this entity so far. Any thread.
  [[nodiscard]] virtual messages::result<std::uint64_t> version(
    messages::entity_ref entity) const = 0;

  /// What a command that is durable was answered, nothing for one that is not known. Any thread.
  [[nodiscard]] virtual messages::result<std::optional<messages::appended>> answered(
    const messages::command_id& command) const = 0;

  /// A new row id in a partition; never given twice, also after a crash (an id that was given and not used is lost). Any thread.
  [[nodiscard]] virtual std::int64_t next_id(int partition) = 0;
};

/// A consistent view of all rows at one instant. Holds a database snapshot: keep it no longer than a request.
class read_view : public domain::row_source {
public:
  /// Which log positions it includes.
  [[nodiscard]] virtual event_log::heads position() const = 0;
};

/// Rows and indices, derived from the log by the schema.
class read_model {
public:
  virtual ~read_model() = default;
  /// Any thread.
  [[nodiscard]] virtual std::unique_ptr<read_view> view() const = 0;
};

/// Small states that actors keep so as not to replay from the start. A cache: what is lost is rebuilt.
class snapshot_store {
public:
  virtual ~snapshot_store() = default;
  [[nodiscard]] virtual messages::result<void> put(
    messages::entity_ref entity,
    std::string_view bytes) = 0;
  [[nodiscard]] virtual messages::result<std::optional<std::string>> get(
    messages::entity_ref entity) const = 0;
  [[nodiscard]] virtual messages::result<void> remove(messages::entity_ref entity) = 0;
  /// All of one kind, in id order.
  [[nodiscard]] virtual messages::result<void> each(
    messages::entity_kind kind,
    const std::function<bool(messages::entity_ref, std::string_view)>& visit) const = 0;
};

/// Which node writes which partition. Embedded: always this process. Cluster: JetStream KV with a time to live.
class lease_store {
public:
  virtual ~lease_store() = default;
  struct lease {
    std::string holder;
    std::uint64_t epoch = 0;      ///< grows with every new holder
    std::int64_t expires_ms = 0;  ///< on the caller's clock
    friend bool operator==(const lease&, const lease&) = default;
  };
  /// Takes or renews. Errors: conflict (held by another until it expires).
  [[nodiscard]] virtual messages::result<lease> acquire(
    const std::string& name,
    const std::string& holder,
    std::int64_t now_ms,
    std::int64_t ttl_ms) = 0;
  [[nodiscard]] virtual std::optional<lease> find(const std::string& name, std::int64_t now_ms)
    const = 0;
  virtual void release(const std::string& name, const std::string& holder) = 0;
};

/// All that one node stores of the control plane, opened together: in embedded mode log and rows share one write batch.
struct store {
  std::shared_ptr<event_log> log;
  std::shared_ptr<read_model> rows;
  std::shared_ptr<snapshot_store> snapshots;
};

}  // namespace slipway::storage
