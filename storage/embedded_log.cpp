#include "storage/embedded_log.hpp"

#include "runtime/assert.hpp"
#include "runtime/clock.hpp"
#include "runtime/failpoint.hpp"
#include "runtime/log.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"

#include <rocksdb/env.h>

namespace slipway::storage {

using messages::appended;
using messages::commit;

namespace {

constexpr std::size_t versions_max = 65'536;  // twice that at most
constexpr std::size_t events_per_commit_max = 100'000;
// Below this much free space appends are refused before anything is written, so that a full disk never tears the WAL
// and goes away by itself once there is room.
constexpr std::uint64_t free_bytes_min = 64U << 20U;
constexpr std::int64_t space_check_ms = 100;

class turn {
public:
  explicit turn(std::atomic<bool>& taken) : taken_(taken) {
    SLIPWAY_ASSERT(!taken_.exchange(true));  // two appenders at a time would tear the log
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() { taken_ = false; }

private:
  std::atomic<bool>& taken_;
};

std::string entity_name(messages::entity_ref e) {
  return std::to_string(static_cast<int>(e.kind)) + "/" + std::to_string(e.id);
}

std::string record_name(int partition, std::uint64_t seq) {
  return "log record " + std::to_string(partition) + "/" + std::to_string(seq);
}

result<event_log::heads> stored_heads(const database& d) {
  event_log::heads found{};
  const std::unique_ptr<rocksdb::Iterator> it(d.db().NewIterator({}, d.log()));
  std::string key;
  for (int p = 0; p < messages::partition_count; ++p) {
    key.clear();
    keys::append_log(key, p, ~0ULL);
    it->SeekForPrev(slice(key));
    if (
      it->Valid() && it->key().size() == keys::log_bytes && it->key()[0] == static_cast<char>(p)) {
      found[static_cast<std::size_t>(p)] = keys::read_u64({it->key().data() + 1, 8});
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("find the log's ends", it->status()));
  }
  return found;
}

}  // namespace

embedded_log::embedded_log(std::shared_ptr<database> d, std::shared_ptr<const plan> p)
  : database_(std::move(d)),
    plan_(std::move(p)),
    projection_(*database_, *plan_, database_->model()),
    versions_(versions_max) {}

result<std::shared_ptr<embedded_log>> embedded_log::open(
  std::shared_ptr<database> d,
  std::shared_ptr<const plan> p) {
  std::shared_ptr<embedded_log> log(new embedded_log(d, std::move(p)));
  auto ids = id_allocator::open(d);
  if (!ids) {
    return tl::unexpected(ids.error());
  }
  log->ids_ = std::move(*ids);
  auto commands = command_memory::open(d);
  if (!commands) {
    return tl::unexpected(commands.error());
  }
  log->commands_ = std::move(*commands);
  const auto stored = stored_heads(*d);
  if (!stored) {
    return tl::unexpected(stored.error());
  }
  log->heads_ = *stored;
  log->next_ = *stored;
  return log;
}

std::vector<messages::result<appended>> embedded_log::append(std::span<const commit> commits) {
  const turn mine(appending_);
  if (!failed_ && ids_->failed()) {
    failed_ = messages::error{errc::io_failed, "ids could not be reserved"};
  }
  auto room = check_space();
  if (failed_ || !room) {
    auto error = failed_ ? *failed_ : room.error();
    return {commits.size(), tl::unexpected(std::move(error))};
  }
  std::vector<messages::result<appended>> answers;
  answers.reserve(commits.size());
  batch_.Clear();
  touched_.fill(INT64_MIN);
  for (const auto& c : commits) {
    answers.push_back(stage(c));
  }
  if (batch_.Count() > 0) {
    SLIPWAY_FAILPOINT("storage.append.staged");
    auto written = trim_commands();
    if (written) {
      written = write_batch();
    }
    if (!written) {
      failed_ = written.error();
      runtime::log::error(
        "append failed, the store is closed to writes",
        {{"cause", failed_->detail}});
      forget_call();
      return {commits.size(), tl::unexpected(*failed_)};
    }
  }
  commands_->end_call();
  projection_.end_call();
  versions_.turn();
  return answers;
}

result<appended> embedded_log::stage(const commit& c) {
  if (c.entity.id <= 0 || c.entity.kind == messages::entity_kind::none) {
    return fail(errc::invalid_argument, "commit names no entity");
  }
  const bool named = c.command != messages::command_id{};
  if (named) {
    auto known = commands_->find(c.command);
    if (!known) {
      return tl::unexpected(known.error());
    }
    if (*known) {
      return **known;
    }
  }
  const auto version = known_version(c.entity);
  if (!version) {
    return tl::unexpected(version.error());
  }
  if (c.expected_version != messages::any_version && c.expected_version != *version) {
    return fail(
      errc::conflict,
      "entity " + entity_name(c.entity) + " is at version " + std::to_string(*version) + ", not "
        + std::to_string(c.expected_version));
  }
  const auto partition = messages::partition_of(c.entity.id);
  auto& head = next_[static_cast<std::size_t>(partition)];
  appended done;
  done.position = {partition, head + 1};
  done.version = *version + 1;
  done.answer = c.answer;
  value_.clear();
  encode_record(value_, done.position, done.version, c);
  if (value_.size() > commit_bytes_max || c.events.size() > events_per_commit_max) {
    return fail(errc::too_large, "a commit of " + std::to_string(value_.size()) + " bytes");
  }
  if (auto staged = projection_.stage(c); !staged) {
    return tl::unexpected(staged.error());
  }
  // Nothing below can fail.
  key_.clear();
  keys::append_log(key_, partition, done.position.seq);
  batch_.Put(database_->log(), slice(key_), slice(value_));
  key_.clear();
  keys::append_entity(key_, c.entity);
  value_.clear();
  keys::append_u64(value_, done.version);
  batch_.Put(database_->model().heads, slice(key_), slice(value_));
  projection_.write(batch_);
  for (const auto& event : c.events) {
    if (event.type == messages::event_type::row_created) {
      ids_->observe(event.id, batch_);
    }
  }
  if (named) {
    commands_->remember(c.command, done, batch_);
  }
  ++head;
  versions_.put(c.entity, 1) = done.version;
  auto& latest = touched_[static_cast<std::size_t>(partition)];
  latest = std::max(latest, c.time);
  return done;
}

result<std::uint64_t> embedded_log::known_version(messages::entity_ref entity) {
  if (const auto* known = versions_.find(entity)) {
    return *known;
  }
  const auto stored = version(entity);
  if (stored) {
    versions_.put(entity, 1) = *stored;
  }
  return stored;
}

result<void> embedded_log::trim_commands() {
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto i = static_cast<std::size_t>(p);
    if (touched_[i] == INT64_MIN) {
      continue;
    }
    // Up to what is stored: the records of this call are not in the log yet.
    if (auto trimmed = commands_->trim(p, heads_[i], touched_[i], batch_); !trimmed) {
      return trimmed;
    }
  }
  return {};
}

result<void> embedded_log::write_batch() {
  {
    const std::lock_guard lock(mutex_);
    pending_ = next_;
  }
  SLIPWAY_FAILPOINT("storage.append.before_write");
  const auto s = database_->db().Write(synced(), &batch_);
  SLIPWAY_FAILPOINT("storage.append.synced");
  if (!s.ok()) {
    return tl::unexpected(to_error("append", s));
  }
  {
    const std::lock_guard lock(mutex_);
    heads_ = next_;
    pending_.reset();
  }
  SLIPWAY_FAILPOINT("storage.append.published");
  return {};
}

void embedded_log::forget_call() {
  commands_->end_call();
  projection_.forget();
  versions_.clear();
}

result<void> embedded_log::check_space() {
  const auto now = runtime::steady_ms();
  if (space_checked_ms_ != 0 && now - space_checked_ms_ < space_check_ms) {
    return {};
  }
  std::uint64_t free = 0;
  // An environment that cannot tell is taken to have room.
  if (database_->env().GetFreeSpace(database_->path(), &free).ok() && free < free_bytes_min) {
    return fail(
      errc::disk_full,
      "append: " + std::to_string(free >> 20U) + " MiB left, "
        + std::to_string(free_bytes_min >> 20U) + " MiB are kept free");
  }
  space_checked_ms_ = now;
  return {};
}

messages::result<void> embedded_log::read(
  int partition,
  std::uint64_t from_seq,
  const std::function<bool(const messages::log_record&)>& visit) const {
  SLIPWAY_ASSERT(partition >= 0 && partition < messages::partition_count);
  std::string from;
  keys::append_log(from, partition, std::max<std::uint64_t>(from_seq, 1));
  std::string to;
  keys::append_log(to, partition, ~0ULL);
  const auto upper = slice(to);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(
    database_->db().NewIterator(options, database_->log()));
  messages::log_record record;
  auto expected = std::max<std::uint64_t>(from_seq, 1);
  for (it->Seek(slice(from)); it->Valid(); it->Next(), ++expected) {
    if (auto decoded = decode_record({it->value().data(), it->value().size()}, record); !decoded) {
      return tl::unexpected(
        messages::with_context(record_name(partition, expected), decoded.error()));
    }
    if (record.position != messages::log_position{partition, expected}) {
      return fail(errc::corrupt, record_name(partition, expected) + " is missing");
    }
    if (!visit(record)) {
      return {};
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("read the log", it->status()));
  }
  return {};
}

event_log::heads embedded_log::last() const {
  const std::lock_guard lock(mutex_);
  return heads_;
}

messages::result<std::uint64_t> embedded_log::version(messages::entity_ref entity) const {
  std::string key;
  keys::append_entity(key, entity);
  rocksdb::PinnableSlice found;
  const auto s = database_->db().Get({}, database_->model().heads, slice(key), &found);
  if (s.IsNotFound()) {
    return 0;
  }
  if (!s.ok()) {
    return tl::unexpected(to_error("read a version", s));
  }
  if (found.size() != sizeof(std::uint64_t)) {
    return fail(errc::corrupt, "version of entity " + entity_name(entity));
  }
  return keys::read_u64({found.data(), found.size()});
}

embedded_log::instant embedded_log::now() const {
  const std::lock_guard lock(mutex_);
  return {database_->db().GetSnapshot(), heads_, pending_};
}

}  // namespace slipway::storage
