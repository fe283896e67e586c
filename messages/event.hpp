#pragma once

#include "messages/entity.hpp"
#include "messages/error.hpp"
#include "messages/value.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::messages {

/// Numbers are on disk: never reused.
enum class event_type : std::uint16_t {
  row_created = 1,  ///< all set fields of a new row
  row_changed = 2,  ///< the fields that changed
  row_removed = 3,
  note = 4,  ///< touches no row; `values` are the event's own
};

/// What happened to one row of the resource model. Appended before it is applied and before anyone is told.
struct event {
  event_type type = event_type::note;
  std::uint16_t resource = 0;  ///< number in the schema
  std::int64_t id = 0;         ///< the row
  std::vector<field_value> values;
  SLIPWAY_FIELDS(type, resource, id, values)
  friend bool operator==(const event&, const event&) = default;
};

/// 16 bytes chosen by the caller; all zero means "no id": such a command is not recognised when it comes again.
using command_id = std::array<std::uint8_t, 16>;

/// All that one command changed: the unit that is in the log whole or not at all.
struct commit {
  entity_ref entity;
  std::uint64_t expected_version =
    0;                     ///< commits of this entity so far; `any_version` skips the check
  std::int64_t time = 0;   ///< ms since 1970, UTC
  std::int64_t actor = 0;  ///< who asked (actor id), 0 = the platform
  command_id command{};
  std::int64_t answer = 0;  ///< the row id the command answers with, so that a repeat gets the same
  std::vector<event> events;
  SLIPWAY_FIELDS(entity, expected_version, time, actor, command, answer, events)
  friend bool operator==(const commit&, const commit&) = default;
};

constexpr std::uint64_t any_version = ~0ULL;

/// Where a commit stands in the log. `seq` starts at 1 in each partition and has no gaps.
struct log_position {
  std::int32_t partition = 0;
  std::uint64_t seq = 0;
  SLIPWAY_FIELDS(partition, seq)
  friend bool operator==(const log_position&, const log_position&) = default;
};

/// What an append answers.
struct appended {
  log_position position;
  std::uint64_t version = 0;  ///< the entity's version after it
  std::int64_t answer = 0;
  bool repeated = false;  ///< the command had been carried out before; nothing was written now
  SLIPWAY_FIELDS(position, version, answer, repeated)
  friend bool operator==(const appended&, const appended&) = default;
};

/// How a command ended: `appended`, or why not.
struct outcome {
  error failure;  ///< code `none` when it succeeded
  messages::appended appended;
  SLIPWAY_FIELDS(failure, appended)
  [[nodiscard]] bool ok() const { return failure.code == errc::none; }
};

/// A commit as read back from the log.
struct log_record {
  log_position position;
  std::uint64_t version = 0;
  messages::commit commit;
  SLIPWAY_FIELDS(position, version, commit)
};

}  // namespace slipway::messages
