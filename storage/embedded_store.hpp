#pragma once

#include "domain/schema.hpp"
#include "messages/error.hpp"
#include "storage/store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace rocksdb {
class Env;
}

namespace slipway::storage {

struct embedded_options {
  std::string path;             ///< a folder of its own; created when missing
  rocksdb::Env* env = nullptr;  ///< for tests; must outlive the store; null = the real one
  std::shared_ptr<const domain::schema> schema;
};

/// Opens the store of one node on RocksDB. One process at a time. When the schema lays rows or indices out otherwise than
/// what is stored, the read model is first rebuilt from the log.
/// Errors: io_failed (also: open elsewhere), disk_full, corrupt, unsupported (written by a newer version).
/// After an append answered io_failed or disk_full from the disk itself, further appends are refused with the same
/// error until the store is opened again: what a failed sync left behind is only known then. Appends that are refused
/// because little space is left go on by themselves once there is room.
[[nodiscard]] messages::result<store> open_embedded(const embedded_options& o);

/// What a rebuild or a verification found.
struct rebuild_report {
  bool identical = true;
  std::uint64_t commits = 0;
  std::uint64_t events = 0;
  std::uint64_t rows = 0;           ///< after it
  std::uint64_t index_entries = 0;  ///< after it
  std::uint64_t versions = 0;       ///< entities, after it
  std::uint64_t differences = 0;    ///< keys that were missing, too many or other than the log says
  std::vector<std::string> first_differences;  ///< up to `differences_shown_max`, for people
};
constexpr std::size_t differences_shown_max = 10;

/// Replays the whole log into a fresh read model beside the stored one, compares both, and puts the fresh one in its place in
/// one step. The store must not be open elsewhere. Killed at any instant it leaves one or the other.
/// Errors: as open_embedded; corrupt when the log has a gap, does not decode or contradicts itself (nothing is changed then).
[[nodiscard]] messages::result<rebuild_report> rebuild(const embedded_options& o);

/// Reads the whole log: every record decodes, sequence numbers and entity versions have no gap. Changes nothing.
/// The store must not be open elsewhere. Errors: as rebuild.
[[nodiscard]] messages::result<rebuild_report> verify(const embedded_options& o);

}  // namespace slipway::storage
