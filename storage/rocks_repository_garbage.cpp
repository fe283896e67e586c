#include "messages/codec.hpp"
#include "runtime/failpoint.hpp"
#include "storage/rocks_repositories.hpp"

#include <charconv>
#include <type_traits>

namespace slipway::storage {

using messages::errc;
using messages::fail;
using messages::result;
using repository_keys::from_status;
using repository_keys::key;
using repository_keys::view;

namespace {

/// A key of a repository's row without its letter: name, zero byte, digest.
std::pair<std::string, digest> split(std::string_view rest) {
  const auto zero = rest.find('\0');
  return {std::string(rest.substr(0, zero)), digest{std::string(rest.substr(zero + 1))}};
}

}  // namespace

result<void> rocks_repositories::load() {
  const std::lock_guard lock(lost_mutex_);
  auto read = each(key(table::lost, ""), "", [this](auto id, const auto&) {
    lost_.emplace(id);
    return true;
  });
  lost_count_ = lost_.size();
  return read;
}

bool rocks_repositories::is_lost(const digest& d) const {
  if (lost_count_.load(std::memory_order_relaxed) == 0) {
    return false;
  }
  const std::lock_guard lock(lost_mutex_);
  return lost_.contains(d.text);
}

void rocks_repositories::found_again(const digest& d, rocksdb::WriteBatch& batch) {
  if (lost_count_.load(std::memory_order_relaxed) == 0) {
    return;
  }
  const std::lock_guard lock(lost_mutex_);
  if (lost_.erase(d.text) > 0) {
    // If the batch fails the mark comes back at the next start, when the scrubber or a push looks again.
    batch.Delete(key(table::lost, d.text));
    lost_count_ = lost_.size();
  }
}

result<void> rocks_repositories::set_lost(const digest& d, bool lost) {
  rocksdb::WriteBatch batch;
  if (!lost) {
    found_again(d, batch);
    return write(batch, true);
  }
  batch.Put(key(table::lost, d.text), "");
  auto done = write(batch, true);
  if (done) {
    const std::lock_guard lock(lost_mutex_);
    lost_.insert(d.text);
    lost_count_ = lost_.size();
  }
  return done;
}

result<void>
rocks_repositories::touch_blob(std::string_view repository, const digest& d, std::int64_t now_ms) {
  const std::shared_lock lock(removal_);
  auto known = blob(repository, d);
  if (!known) {
    return tl::unexpected(known.error());
  }
  known->touched_ms = now_ms;
  rocksdb::WriteBatch batch;
  batch.Put(key(table::blob, repository, d.text), messages::pack(*known));
  return write(batch, false);
}

result<void> rocks_repositories::touch_manifest(
  std::string_view repository,
  const digest& d,
  std::int64_t now_ms) {
  const std::shared_lock lock(removal_);
  auto known = manifest(repository, d);
  if (!known) {
    return tl::unexpected(known.error());
  }
  known->touched_ms = now_ms;
  rocksdb::WriteBatch batch;
  batch.Put(key(table::manifest, repository, d.text), messages::pack(*known));
  return write(batch, false);
}

/// Rows of a table in pages, from behind the cursor, which moves along. One that does not decode is kept: nobody knows how old it is.
template <class Record>
result<std::vector<held_item>>
rocks_repositories::held_after(table of, std::string& cursor, std::size_t count) const {
  std::vector<held_item> out;
  const auto from = cursor;
  auto listed = each(key(of, ""), from, [&](auto rest, const rocksdb::Slice& value) {
    if (rest == from) {
      return true;
    }
    if (out.size() == count) {
      return false;
    }
    cursor = rest;
    auto [repository, id] = split(rest);
    if (const auto row = messages::unpack<Record>(view(value))) {
      auto& item = out.emplace_back();
      item.repository = std::move(repository);
      item.id = std::move(id);
      item.size = row->size;
      item.touched_ms = row->touched_ms;
      if constexpr (std::is_same_v<Record, manifest_record>) {
        item.subject = row->subject;
      }
    }
    return true;
  });
  return listed ? result<std::vector<held_item>>(std::move(out)) : tl::unexpected(listed.error());
}

result<std::vector<held_item>> rocks_repositories::manifests_after(
  std::string& cursor,
  std::size_t count) const {
  return held_after<manifest_record>(table::manifest, cursor, count);
}

result<std::vector<held_item>> rocks_repositories::blobs_after(
  std::string& cursor,
  std::size_t count) const {
  return held_after<blob_record>(table::blob, cursor, count);
}

result<std::vector<std::string>>
rocks_repositories::holders(std::string_view repository, const digest& d, std::size_t count) const {
  std::vector<std::string> out;
  const auto prefix = key(table::holder, repository, d.text, "");
  auto listed = each(prefix, "", [&](auto who, const auto&) {
    // Two pushes at once of one tag leave a row of the one that came first.
    const bool stale =
      who.starts_with('t')
      && get(key(table::tag, repository, who.substr(1)), errc::manifest_unknown, "") != d.text;
    if (!stale) {
      out.emplace_back(who);
    }
    return out.size() < count;
  });
  return listed ? result<std::vector<std::string>>(std::move(out)) : tl::unexpected(listed.error());
}

result<std::size_t> rocks_repositories::links(const digest& d, std::size_t max) const {
  std::size_t n = 0;
  auto counted =
    each(key(table::linked, d.text, ""), "", [&](auto, const auto&) { return ++n < max; });
  return counted ? result<std::size_t>(n) : tl::unexpected(counted.error());
}

result<std::vector<std::string>> rocks_repositories::linked_by(const digest& d, std::size_t count)
  const {
  std::vector<std::string> out;
  auto listed = each(key(table::linked, d.text, "b"), "", [&](auto repository, const auto&) {
    out.emplace_back(repository);
    return out.size() < count;
  });
  return listed ? result<std::vector<std::string>>(std::move(out)) : tl::unexpected(listed.error());
}

result<std::vector<held_item>> rocks_repositories::collect_manifests(
  const std::vector<held_item>& candidates,
  std::int64_t before_ms,
  bool whole_repository) {
  std::vector<held_item> gone;
  rocksdb::WriteBatch batch;
  const std::unique_lock lock(removal_);
  for (const auto& c : candidates) {
    const auto row = get(key(table::manifest, c.repository, c.id.text), errc::manifest_unknown, "");
    const auto m = row ? messages::unpack<manifest_record>(*row)
                       : result<manifest_record>(tl::unexpected(row.error()));
    if (!m || m->touched_ms >= before_ms) {
      continue;
    }
    if (!whole_repository) {
      const auto needed = holders(c.repository, c.id, 1);
      const bool subject_lives =
        !m->subject.empty()
        && get(key(table::manifest, c.repository, m->subject), errc::manifest_unknown, "");
      if (!needed || !needed->empty() || subject_lives) {
        continue;
      }
    }
    if (auto dropped = drop_manifest(batch, c.repository, *m); !dropped) {
      return tl::unexpected(dropped.error());
    }
    gone.push_back(c);
  }
  auto done = write(batch, false);
  SLIPWAY_FAILPOINT("collect.manifests.removed");
  return done ? result<std::vector<held_item>>(std::move(gone)) : tl::unexpected(done.error());
}

result<std::vector<held_item>> rocks_repositories::collect_blobs(
  const std::vector<held_item>& candidates,
  std::int64_t before_ms,
  bool whole_repository) {
  std::vector<held_item> gone;
  rocksdb::WriteBatch batch;
  const std::unique_lock lock(removal_);
  for (const auto& c : candidates) {
    const auto k = key(table::blob, c.repository, c.id.text);
    const auto row = get(k, errc::blob_unknown, "");
    const auto b =
      row ? messages::unpack<blob_record>(*row) : result<blob_record>(tl::unexpected(row.error()));
    if (!b || b->touched_ms >= before_ms) {
      continue;
    }
    const auto needed = holders(c.repository, c.id, 1);
    if (!needed || (!needed->empty() && !whole_repository)) {
      continue;
    }
    batch.Delete(k);
    batch.Delete(key(table::linked, c.id.text, std::string("b").append(c.repository)));
    gone.push_back(c);
  }
  auto done = write(batch, false);
  SLIPWAY_FAILPOINT("collect.links.removed");
  return done ? result<std::vector<held_item>>(std::move(gone)) : tl::unexpected(done.error());
}

result<void> rocks_repositories::sync() {
  const auto s = db_->SyncWAL();
  return s.ok() ? result<void>{} : tl::unexpected(from_status(s));
}

result<std::int64_t> rocks_repositories::forgotten_since(std::string_view repository) const {
  const auto row = get(key(table::forgotten, repository), errc::not_found, "");
  if (!row) {
    return row.error().code == errc::not_found ? result<std::int64_t>(0)
                                               : tl::unexpected(row.error());
  }
  std::int64_t ms = 0;
  std::from_chars(row->data(), row->data() + row->size(), ms);
  return ms;
}

result<void> rocks_repositories::set_forgotten_since(std::string_view repository, std::int64_t ms) {
  rocksdb::WriteBatch batch;
  if (ms == 0) {
    batch.Delete(key(table::forgotten, repository));
  } else {
    batch.Put(key(table::forgotten, repository), std::to_string(ms));
  }
  return write(batch, false);
}

result<std::string> rocks_repositories::note(std::string_view name) const {
  auto row = get(key(table::note, name), errc::not_found, "");
  return !row && row.error().code == errc::not_found ? result<std::string>("") : row;
}

result<void> rocks_repositories::set_note(std::string_view name, std::string_view text) {
  rocksdb::WriteBatch batch;
  batch.Put(key(table::note, name), rocksdb::Slice(text.data(), text.size()));
  return write(batch, false);
}

}  // namespace slipway::storage
