#include "storage/projection.hpp"

#include "storage/keys.hpp"

#include <algorithm>

namespace slipway::storage {
namespace {

constexpr std::size_t row_cache_bytes = 16U << 20U;  // twice that at most
constexpr std::size_t row_cache_overhead = 112;      // of an entry, beside its bytes
// Up to here a commit's rows are searched one after the other.
constexpr std::size_t linear_changes_max = 16;
// A map that once was large is made anew: clearing its buckets would cost every later call.
constexpr std::size_t kept_buckets_max = 4096;

constexpr std::size_t kept_changes_max = 256;

constexpr std::size_t created_at = 1;
constexpr std::size_t modified_at = 2;

template <class Map>
void clear_small(Map& map) {
  if (map.bucket_count() > kept_buckets_max) {
    map = Map{};
  } else {
    map.clear();
  }
}

std::string row_name(const plan::resource& r, std::int64_t id) {
  return "row " + std::to_string(r.number) + "/" + std::to_string(id);
}

}  // namespace

projection::projection(const database& d, const plan& p, const model_set& set, indices when)
  : database_(d), plan_(p), set_(set), when_(when), rows_(row_cache_bytes) {}

void projection::reset() {
  changes_used_ = 0;
  removed_.clear();
  added_.clear();
  entry_bytes_.clear();
  undo_.clear();
}

result<void> projection::stage(const messages::commit& c) {
  reset();
  auto staged = stage_rows(c);
  if (staged) {
    staged = check_unique();
  }
  if (!staged) {
    undo_claims();
  }
  if (!change_by_row_.empty()) {
    clear_small(change_by_row_);
  }
  return staged;
}

result<void> projection::stage_rows(const messages::commit& c) {
  for (const auto& event : c.events) {
    if (event.type == messages::event_type::note) {
      continue;
    }
    if (auto applied = apply(event, c); !applied) {
      return applied;
    }
  }
  for (std::size_t i = 0; i < changes_used_ && when_ == indices::with_rows; ++i) {
    if (auto staged = stage_index(changes_[i]); !staged) {
      return staged;
    }
  }
  return {};
}

result<void> projection::apply(const messages::event& e, const messages::commit& c) {
  const auto* resource = plan_.find(e.resource);
  if (resource == nullptr || e.id <= 0) {
    return fail(
      errc::invalid_argument,
      "event names row " + std::to_string(e.resource) + "/" + std::to_string(e.id));
  }
  // Partitions are replayed one by one: a row of two partitions would come out otherwise.
  if (messages::partition_of(e.id) != messages::partition_of(c.entity.id)) {
    return fail(
      errc::invalid_argument,
      row_name(*resource, e.id) + " is in another partition than entity "
        + std::to_string(c.entity.id));
  }
  const auto touched = touch(*resource, e.id);
  if (!touched) {
    return tl::unexpected(touched.error());
  }
  auto& row = **touched;
  const bool create = e.type == messages::event_type::row_created;
  if (create != row.after.empty()) {
    return fail(
      errc::conflict,
      row_name(*resource, e.id) + (create ? " exists already" : " does not exist"));
  }
  if (e.type == messages::event_type::row_removed) {
    row.after.clear();
    return {};
  }
  if (!create && e.type != messages::event_type::row_changed) {
    return fail(errc::invalid_argument, "event of an unknown type");
  }
  if (!editor_.begin(row.after, resource->field_count)) {
    return fail(errc::corrupt, row_name(*resource, e.id) + " does not decode");
  }
  for (const auto& [field, value] : e.values) {
    if (field >= resource->field_count) {
      return fail(
        errc::invalid_argument,
        row_name(*resource, e.id) + " has no field " + std::to_string(field));
    }
    editor_.set(field, value);
  }
  // Set last: the commit's own time wins over what the values say.
  const messages::value id = e.id;
  const messages::value now = c.time;
  editor_.set(0, id);
  editor_.set(modified_at, now);
  if (create) {
    editor_.set(created_at, now);
  } else {
    editor_.keep(created_at);
  }
  editor_.finish(scratch_);
  std::swap(row.after, scratch_);
  return {};
}

result<projection::change*> projection::touch(const plan::resource& r, std::int64_t id) {
  const row_key key{id, r.number};
  if (changes_used_ <= linear_changes_max) {
    for (std::size_t i = 0; i < changes_used_; ++i) {
      if (changes_[i].id == id && changes_[i].resource == &r) {
        return &changes_[i];
      }
    }
  } else if (const auto it = change_by_row_.find(key); it != change_by_row_.end()) {
    return &changes_[it->second];
  }
  const auto loaded = load(r, id);
  if (!loaded) {
    return tl::unexpected(loaded.error());
  }
  if (changes_used_ == changes_.size()) {
    changes_.emplace_back();
  }
  auto& c = changes_[changes_used_++];
  c.resource = &r;
  c.id = id;
  c.before = **loaded;
  c.after = **loaded;
  if (changes_used_ == linear_changes_max + 1) {
    for (std::size_t i = 0; i < changes_used_; ++i) {
      change_by_row_[{changes_[i].id, changes_[i].resource->number}] = i;
    }
  } else if (changes_used_ > linear_changes_max) {
    change_by_row_[key] = changes_used_ - 1;
  }
  return &c;
}

result<std::string*> projection::load(const plan::resource& r, std::int64_t id) {
  const row_key key{id, r.number};
  if (auto* known = rows_.find(key)) {
    return known;
  }
  key_.clear();
  keys::append_row(key_, r.number, id);
  rocksdb::PinnableSlice found;
  const auto s = database_.db().Get({}, set_.rows, slice(key_), &found);
  if (!s.ok() && !s.IsNotFound()) {
    return tl::unexpected(to_error("read " + row_name(r, id), s));
  }
  auto& kept = rows_.put(key, found.size() + row_cache_overhead);
  kept.assign(found.data(), found.size());
  return &kept;
}

result<void> projection::stage_index(const change& c) {
  if (c.before == c.after) {
    return {};
  }
  const bool had = !c.before.empty();
  const bool has = !c.after.empty();
  if ((had && !before_.parse(c.before)) || (has && !after_.parse(c.after))) {
    return fail(errc::corrupt, row_name(*c.resource, c.id) + " does not decode");
  }
  for (const auto& index : c.resource->indices) {
    const auto same = [this](std::uint16_t f) { return before_.element(f) == after_.element(f); };
    if (had && has && std::all_of(index.fields.begin(), index.fields.end(), same)) {
      continue;
    }
    if (had) {
      if (auto added = add_entry(removed_, c, index, before_); !added) {
        return added;
      }
    }
    if (has) {
      if (auto added = add_entry(added_, c, index, after_); !added) {
        return added;
      }
    }
  }
  return {};
}

result<void> projection::add_entry(
  std::vector<index_entry>& list,
  const change& c,
  const plan::index& index,
  const row_layout& row) {
  index_entry entry;
  entry.begin = static_cast<std::uint32_t>(entry_bytes_.size());
  entry.id = c.id;
  entry.index = &index;
  entry.names_row = index.unique;
  keys::append_index(entry_bytes_, c.resource->number, index.number);
  for (const auto field : index.fields) {
    const auto element = row.element(field);
    entry.names_row = entry.names_row && element != "\xc0";
    if (!keys::append_element(entry_bytes_, element)) {
      return fail(errc::corrupt, row_name(*c.resource, c.id) + " does not decode");
    }
  }
  if (!entry.names_row) {
    keys::append_u64(entry_bytes_, static_cast<std::uint64_t>(c.id));
  }
  entry.size = static_cast<std::uint32_t>(entry_bytes_.size()) - entry.begin;
  list.push_back(entry);
  return {};
}

// All that the commit gives up first: two rows may swap a unique value in one commit.
result<void> projection::check_unique() {
  for (const auto& entry : removed_) {
    if (entry.names_row) {
      claim(std::string(bytes_of(entry)), 0);
    }
  }
  for (const auto& entry : added_) {
    if (!entry.names_row) {
      continue;
    }
    const std::string key(bytes_of(entry));
    const auto held_by = holder(key);
    if (!held_by) {
      return tl::unexpected(held_by.error());
    }
    if (*held_by != 0) {
      return fail(errc::unique_violated, entry.index->violation);
    }
    claim(key, entry.id);
  }
  return {};
}

result<std::int64_t> projection::holder(const std::string& key) {
  if (const auto it = claims_.find(key); it != claims_.end()) {
    return it->second;
  }
  rocksdb::PinnableSlice found;
  const auto s = database_.db().Get({}, set_.index, slice(key), &found);
  if (s.IsNotFound()) {
    return 0;
  }
  if (!s.ok()) {
    return tl::unexpected(to_error("read an index", s));
  }
  if (found.size() != sizeof(std::uint64_t)) {
    return fail(errc::corrupt, "an index entry names no row");
  }
  return static_cast<std::int64_t>(keys::read_u64({found.data(), found.size()}));
}

void projection::claim(const std::string& key, std::int64_t id) {
  const auto [it, fresh] = claims_.try_emplace(key, id);
  undo_.emplace_back(key, fresh ? std::nullopt : std::optional(it->second));
  it->second = id;
}

void projection::undo_claims() {
  for (auto it = undo_.rbegin(); it != undo_.rend(); ++it) {
    if (it->second) {
      claims_[it->first] = *it->second;
    } else {
      claims_.erase(it->first);
    }
  }
}

void projection::write(rocksdb::WriteBatch& batch) {
  for (std::size_t i = 0; i < changes_used_; ++i) {
    const auto& c = changes_[i];
    if (c.before == c.after) {
      continue;
    }
    key_.clear();
    keys::append_row(key_, c.resource->number, c.id);
    if (c.after.empty()) {
      batch.Delete(set_.rows, slice(key_));
    } else {
      batch.Put(set_.rows, slice(key_), slice(c.after));
    }
    rows_.put({c.id, c.resource->number}, c.after.size() + row_cache_overhead) = c.after;
  }
  write_index(batch);
}

void projection::write_index(rocksdb::WriteBatch& batch) {
  for (const auto& entry : removed_) {
    batch.Delete(set_.index, slice(bytes_of(entry)));
  }
  for (const auto& entry : added_) {
    scratch_.clear();
    if (entry.names_row) {
      keys::append_u64(scratch_, static_cast<std::uint64_t>(entry.id));
    }
    batch.Put(set_.index, slice(bytes_of(entry)), slice(scratch_));
  }
}

result<void> projection::index_row(
  std::uint16_t resource,
  std::int64_t id,
  std::string_view row,
  rocksdb::WriteBatch& batch) {
  reset();
  change c;
  c.resource = plan_.find(resource);
  if (c.resource == nullptr || row.empty()) {
    return fail(errc::corrupt, "row of an unknown resource " + std::to_string(resource));
  }
  c.id = id;
  c.after = row;
  auto staged = stage_index(c);
  if (staged) {
    staged = check_unique();
  }
  if (staged) {
    write_index(batch);
  }
  return staged;
}

void projection::end_call() {
  rows_.turn();
  if (changes_.size() > kept_changes_max) {
    changes_.resize(kept_changes_max);
    entry_bytes_ = {};
  }
  if (!claims_.empty()) {
    clear_small(claims_);
  }
}

void projection::forget() {
  rows_.clear();
  claims_ = {};
}

}  // namespace slipway::storage
