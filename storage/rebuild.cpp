#include "storage/rebuild.hpp"

#include "runtime/crypto.hpp"
#include "runtime/failpoint.hpp"
#include "storage/keys.hpp"
#include "storage/projection.hpp"

#include <array>
#include <functional>

namespace slipway::storage {
namespace {

constexpr std::size_t readahead_bytes = 2U << 20U;
constexpr std::size_t commits_per_batch = 512;
constexpr std::size_t batch_bytes = 4U << 20U;
constexpr std::size_t versions_max = 65'536;

// Not in the WAL: the flush at the end makes it durable, and until the switch nobody reads it.
rocksdb::WriteOptions unlogged() {
  rocksdb::WriteOptions o;
  o.disableWAL = true;
  return o;
}

std::string record_name(messages::log_position at) {
  return "log record " + std::to_string(at.partition) + "/" + std::to_string(at.seq);
}

result<void> replay(
  const database& d,
  rebuild_report& report,
  const std::function<result<void>(const messages::log_record&)>& visit) {
  rocksdb::ReadOptions options;
  options.readahead_size = readahead_bytes;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(d.db().NewIterator(options, d.log()));
  messages::log_record record;
  messages::log_position expected{-1, 0};
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto key = std::string_view(it->key().data(), it->key().size());
    if (key.size() != keys::log_bytes) {
      return fail(errc::corrupt, "the log has a key of " + std::to_string(key.size()) + " bytes");
    }
    const int partition = static_cast<unsigned char>(key[0]);
    expected = partition == expected.partition ? messages::log_position{partition, expected.seq + 1}
                                               : messages::log_position{partition, 1};
    if (partition >= messages::partition_count || keys::read_u64(key.substr(1)) != expected.seq) {
      return fail(errc::corrupt, record_name(expected) + " is missing");
    }
    auto decoded = decode_record({it->value().data(), it->value().size()}, record);
    if (decoded && record.position != expected) {
      decoded = fail(errc::corrupt, "says that it is " + record_name(record.position));
    }
    if (decoded) {
      decoded = visit(record);
    }
    if (!decoded) {
      return tl::unexpected(messages::with_context(record_name(expected), decoded.error()));
    }
    ++report.commits;
    report.events += record.commit.events.size();
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("read the log", it->status()));
  }
  return {};
}

/// Versions while replaying, kept in the set that is being filled.
class version_check {
public:
  version_check(const database& d, rocksdb::ColumnFamilyHandle* heads)
    : database_(d), heads_(heads) {}

  [[nodiscard]] result<void> pass(const messages::log_record& r, rocksdb::WriteBatch& batch) {
    key_.clear();
    keys::append_entity(key_, r.commit.entity);
    auto* known = cache_.find(r.commit.entity);
    if (known == nullptr) {
      rocksdb::PinnableSlice found;
      const auto s = database_.db().Get({}, heads_, slice(key_), &found);
      if (!s.ok() && !s.IsNotFound()) {
        return tl::unexpected(to_error("read a version", s));
      }
      known = &cache_.put(r.commit.entity, 1);
      *known = s.ok() ? keys::read_u64({found.data(), found.size()}) : 0;
    }
    if (r.version != *known + 1) {
      return fail(
        errc::corrupt,
        "version " + std::to_string(r.version) + " follows " + std::to_string(*known));
    }
    *known = r.version;
    std::string value;
    keys::append_u64(value, r.version);
    batch.Put(heads_, slice(key_), slice(value));
    return {};
  }
  void turn() { cache_.turn(); }

private:
  const database& database_;
  rocksdb::ColumnFamilyHandle* heads_;
  generation_cache<messages::entity_ref, std::uint64_t> cache_{versions_max};
  std::string key_;
};

void note_difference(
  rebuild_report& report,
  std::string_view where,
  std::string_view what,
  const rocksdb::Slice& key) {
  report.identical = false;
  ++report.differences;
  if (report.first_differences.size() < differences_shown_max) {
    report.first_differences.push_back(
      std::string(where) + " " + runtime::hex({key.data(), key.size()}) + ": " + std::string(what));
  }
}

result<std::uint64_t> compare_family(
  const database& d,
  rocksdb::ColumnFamilyHandle* stored,
  rocksdb::ColumnFamilyHandle* fresh,
  std::string_view where,
  rebuild_report& report) {
  rocksdb::ReadOptions options;
  options.readahead_size = readahead_bytes;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> a(d.db().NewIterator(options, stored));
  const std::unique_ptr<rocksdb::Iterator> b(d.db().NewIterator(options, fresh));
  std::uint64_t count = 0;
  a->SeekToFirst();
  b->SeekToFirst();
  while (a->Valid() || b->Valid()) {
    const int order = !a->Valid() ? 1 : !b->Valid() ? -1 : a->key().compare(b->key());
    if (order < 0) {
      note_difference(report, where, "stored, but not in the log", a->key());
    } else if (order > 0) {
      note_difference(report, where, "in the log, but not stored", b->key());
    } else if (a->value() != b->value()) {
      note_difference(report, where, "stored otherwise than in the log", b->key());
    }
    if (order >= 0) {
      ++count;
      b->Next();
    }
    if (order <= 0) {
      a->Next();
    }
  }
  if (!a->status().ok() || !b->status().ok()) {
    return tl::unexpected(to_error("compare", !a->status().ok() ? a->status() : b->status()));
  }
  return count;
}

/// Counters as the log implies them, never below what is stored: ids may have been given and not used.
result<void> put_id_counters(
  const database& d,
  const std::array<std::uint64_t, messages::partition_count>& seen,
  rocksdb::WriteBatch& batch) {
  for (int p = 0; p < messages::partition_count; ++p) {
    const auto key = meta_keys::of_partition(meta_keys::ids, p);
    const auto stored = d.read_meta(key);
    if (!stored) {
      return tl::unexpected(stored.error());
    }
    const auto highest = seen[static_cast<std::size_t>(p)];
    if (highest > (stored->size() == sizeof(std::uint64_t) ? keys::read_u64(*stored) : 0)) {
      std::string value;
      keys::append_u64(value, highest);
      batch.Put(d.meta(), slice(key), slice(value));
    }
  }
  return {};
}

/// Rows first, then their indices from the rows as they came out.
result<void> fill_index(const database& d, const plan& p, const model_set& target) {
  rocksdb::ReadOptions options;
  options.readahead_size = readahead_bytes;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(d.db().NewIterator(options, target.rows));
  projection entries(d, p, target);
  rocksdb::WriteBatch batch;
  const auto write = [&]() -> result<void> {
    if (const auto s = d.db().Write(unlogged(), &batch); !s.ok()) {
      return tl::unexpected(to_error("rebuild", s));
    }
    batch.Clear();
    entries.end_call();
    return {};
  };
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto key = std::string_view(it->key().data(), it->key().size());
    if (auto added = entries.index_row(
          keys::read_u16(key),
          static_cast<std::int64_t>(keys::read_u64(key.substr(2))),
          {it->value().data(), it->value().size()},
          batch);
        !added) {
      return fail(
        added.error().code == errc::io_failed ? errc::io_failed : errc::corrupt,
        "row " + runtime::hex(key) + ": " + added.error().detail);
    }
    if (batch.GetDataSize() >= batch_bytes) {
      if (auto written = write(); !written) {
        return written;
      }
    }
  }
  if (!it->status().ok()) {
    return tl::unexpected(to_error("rebuild", it->status()));
  }
  return write();
}

}  // namespace

result<void>
fill(const database& d, const plan& p, const model_set& target, rebuild_report& report) {
  projection rows(d, p, target, projection::indices::later);
  version_check versions(d, target.heads);
  std::array<std::uint64_t, messages::partition_count> ids{};
  rocksdb::WriteBatch batch;
  std::size_t gathered = 0;
  const auto write = [&]() -> result<void> {
    if (const auto s = d.db().Write(unlogged(), &batch); !s.ok()) {
      return tl::unexpected(to_error("rebuild", s));
    }
    batch.Clear();
    gathered = 0;
    rows.end_call();
    versions.turn();
    return {};
  };
  auto filled = replay(d, report, [&](const messages::log_record& record) -> result<void> {
    if (auto checked = versions.pass(record, batch); !checked) {
      return checked;
    }
    if (auto staged = rows.stage(record.commit); !staged) {
      return fail(
        staged.error().code == errc::io_failed ? errc::io_failed : errc::corrupt,
        staged.error().detail);
    }
    rows.write(batch);
    for (const auto& event : record.commit.events) {
      if (event.type == messages::event_type::row_created) {
        auto& highest = ids[static_cast<std::size_t>(messages::partition_of(event.id))];
        highest =
          std::max(highest, static_cast<std::uint64_t>(event.id) / messages::partition_count);
      }
    }
    return ++gathered >= commits_per_batch || batch.GetDataSize() >= batch_bytes ? write()
                                                                                 : result<void>{};
  });
  if (filled) {
    filled = write();
  }
  if (filled) {
    filled = fill_index(d, p, target);
  }
  if (!filled) {
    return filled;
  }
  if (const auto s = d.db().Flush({}, target.all()); !s.ok()) {
    return tl::unexpected(to_error("rebuild", s));
  }
  rocksdb::WriteBatch counters;
  if (auto put = put_id_counters(d, ids, counters); !put) {
    return put;
  }
  if (counters.Count() > 0) {
    if (const auto s = d.db().Write(synced(), &counters); !s.ok()) {
      return tl::unexpected(to_error("rebuild", s));
    }
  }
  return {};
}

result<void> check_log(const database& d, rebuild_report& report) {
  // Version continuity needs a memory of all entities; that of a rebuild is on disk.
  std::unordered_map<messages::entity_ref, std::uint64_t> versions;
  auto checked = replay(d, report, [&versions](const messages::log_record& r) -> result<void> {
    auto& known = versions[r.commit.entity];
    if (r.version != known + 1) {
      return fail(
        errc::corrupt,
        "version " + std::to_string(r.version) + " follows " + std::to_string(known));
    }
    known = r.version;
    return {};
  });
  report.versions = versions.size();
  return checked;
}

result<void> compare(const database& d, const model_set& target, rebuild_report& report) {
  const auto& stored = d.model();
  const auto rows = compare_family(d, stored.rows, target.rows, "row", report);
  const auto index = compare_family(d, stored.index, target.index, "index entry", report);
  const auto heads = compare_family(d, stored.heads, target.heads, "version", report);
  for (const auto* counted : {&rows, &index, &heads}) {
    if (!*counted) {
      return tl::unexpected(counted->error());
    }
  }
  report.rows = *rows;
  report.index_entries = *index;
  report.versions = *heads;
  return {};
}

result<void> replace_model(database& d, const plan& p, bool compared, rebuild_report& report) {
  const auto other = d.make_other();
  if (!other) {
    return tl::unexpected(other.error());
  }
  auto done = fill(d, p, *other, report);
  SLIPWAY_FAILPOINT("storage.rebuild.filled");
  if (done && compared) {
    done = compare(d, *other, report);
  }
  if (!done) {
    return done;
  }
  rocksdb::WriteBatch batch;
  batch.Put(d.meta(), slice(meta_keys::schema), slice(p.fingerprint()));
  SLIPWAY_FAILPOINT("storage.rebuild.before_switch");
  done = d.switch_to(*other, batch);
  SLIPWAY_FAILPOINT("storage.rebuild.switched");
  return done;
}

}  // namespace slipway::storage
