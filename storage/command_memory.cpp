#include "storage/command_memory.hpp"

#include "storage/keys.hpp"
#include "storage/record.hpp"

namespace slipway::storage {
namespace {

constexpr char format = 1;
constexpr std::size_t value_bytes = 1 + 1 + 8 + 8 + 8;
// Records looked at in one step; a step is taken when as many are due, or when the oldest is too old.
constexpr int trim_step = 256;

std::string_view bytes_of(const messages::command_id& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

std::string encode(const messages::appended& a) {
  std::string out;
  out.reserve(value_bytes);
  out.push_back(format);
  keys::append_u8(out, static_cast<std::uint8_t>(a.position.partition));
  keys::append_u64(out, a.position.seq);
  keys::append_u64(out, a.version);
  keys::append_u64(out, static_cast<std::uint64_t>(a.answer));
  return out;
}

result<messages::appended> decode(std::string_view bytes) {
  if (bytes.size() != value_bytes || bytes[0] != format) {
    return fail(errc::corrupt, "a command record does not decode");
  }
  messages::appended a;
  a.position.partition = static_cast<std::uint8_t>(bytes[1]);
  a.position.seq = keys::read_u64(bytes.substr(2));
  a.version = keys::read_u64(bytes.substr(10));
  a.answer = static_cast<std::int64_t>(keys::read_u64(bytes.substr(18)));
  return a;
}

}  // namespace

result<std::unique_ptr<command_memory>> command_memory::open(std::shared_ptr<database> d) {
  std::unique_ptr<command_memory> m(new command_memory(std::move(d)));
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto stored = m->database_->read_meta(meta_keys::of_partition(meta_keys::trim, p));
    if (!stored) {
      return tl::unexpected(stored.error());
    }
    if (stored->size() == sizeof(std::uint64_t)) {
      m->cursors_[static_cast<std::size_t>(p)].trimmed = keys::read_u64(*stored);
    }
  }
  return m;
}

result<std::optional<messages::appended>> command_memory::find(const messages::command_id& id) {
  const auto it = call_.find(id);
  if (it == call_.end()) {
    return stored(id);
  }
  auto known = it->second;
  known.repeated = true;
  return known;
}

result<std::optional<messages::appended>> command_memory::stored(
  const messages::command_id& id) const {
  std::optional<messages::appended> known;
  rocksdb::PinnableSlice found;
  const auto s = database_->db().Get({}, database_->commands(), slice(bytes_of(id)), &found);
  if (s.IsNotFound()) {
    return known;
  }
  if (!s.ok()) {
    return tl::unexpected(to_error("read a command", s));
  }
  auto decoded = decode({found.data(), found.size()});
  if (!decoded) {
    return tl::unexpected(decoded.error());
  }
  known = *decoded;
  known->repeated = true;
  return known;
}

void command_memory::remember(
  const messages::command_id& id,
  const messages::appended& done,
  rocksdb::WriteBatch& batch) {
  batch.Put(database_->commands(), slice(bytes_of(id)), slice(encode(done)));
  call_[id] = done;
}

result<void> command_memory::trim(
  int partition,
  std::uint64_t head,
  std::int64_t now_ms,
  rocksdb::WriteBatch& batch) {
  auto& c = cursors_[static_cast<std::size_t>(partition)];
  const auto kept = head - c.trimmed;
  const bool many = kept >= commands_per_partition_max + trim_step;
  const bool old = kept > 0 && c.next_time < now_ms - command_age_ms_max;
  // The age of the oldest is looked up once, and again only after it was forgotten.
  if (!many && !old) {
    return {};
  }
  std::string from;
  keys::append_log(from, partition, c.trimmed + 1);
  std::string to;
  keys::append_log(to, partition, head + 1);
  const auto upper = slice(to);
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(
    database_->db().NewIterator(options, database_->log()));
  const auto before = c.trimmed;
  messages::log_record record;
  int looked = 0;
  for (it->Seek(slice(from)); it->Valid() && looked < trim_step; it->Next(), ++looked) {
    if (auto decoded = decode_record({it->value().data(), it->value().size()}, record); !decoded) {
      return decoded;
    }
    c.next_time = record.commit.time;
    const bool too_many = head - c.trimmed > commands_per_partition_max;
    if (!too_many && record.commit.time >= now_ms - command_age_ms_max) {
      break;
    }
    if (record.commit.command != messages::command_id{}) {
      batch.Delete(database_->commands(), slice(bytes_of(record.commit.command)));
    }
    c.trimmed = record.position.seq;
  }
  if (c.trimmed != before) {
    std::string value;
    keys::append_u64(value, c.trimmed);
    batch.Put(
      database_->meta(),
      slice(meta_keys::of_partition(meta_keys::trim, partition)),
      slice(value));
  }
  return {};
}

void command_memory::end_call() {
  if (call_.bucket_count() > 4096) {
    call_ = {};
  } else {
    call_.clear();
  }
}

}  // namespace slipway::storage
