#include "gateways/registry/upgrade.hpp"

#include "gateways/registry/manifest.hpp"

namespace slipway::gateways {

using messages::result;

namespace {

constexpr const char* format_note = "format";
constexpr const char* format_now = "2";
constexpr std::size_t page_rows = 200;

/// Writes a manifest's rows anew, with a tag if there is one. What it needs and is not here it has lost before.
result<void> put_again(
  const storage::blob_store& blobs,
  storage::repository_store& repositories,
  const std::string& repository,
  const storage::manifest_record& record,
  const std::string& tag,
  std::int64_t now_ms) {
  const storage::digest id{record.digest};
  const auto blob = blobs.open(id);
  std::string bytes(std::min<std::uint64_t>(blob ? (*blob)->size() : 0, manifest_bytes_max), '\0');
  const auto read = blob ? (*blob)->read_at(0, bytes) : result<std::size_t>(0);
  const auto parsed = parse_manifest(bytes, record.media_type);
  if (!read || !parsed) {
    return {};  // nothing that could be served either
  }
  auto m = manifest_to_store(*parsed, id, bytes.size());
  m.record.touched_ms = now_ms;
  m.tag = tag;
  std::erase_if(m.references, [&](const storage::reference& r) {
    return !repositories.check(repository, {r});
  });
  return repositories.put_manifest(repository, m);
}

result<void> upgrade_blobs(storage::repository_store& repositories, std::int64_t now_ms) {
  std::string cursor;
  while (true) {
    const auto page = repositories.blobs_after(cursor, page_rows);
    if (!page) {
      return tl::unexpected(page.error());
    }
    for (const auto& b : *page) {
      if (auto done = repositories.link_blob(b.repository, b.id, {b.size, now_ms}); !done) {
        return done;
      }
    }
    if (page->size() < page_rows) {
      return {};
    }
  }
}

result<void> upgrade_tags(
  const storage::blob_store& blobs,
  storage::repository_store& repositories,
  const std::string& repository,
  std::int64_t now_ms) {
  for (std::string last;;) {
    const auto tags = repositories.tags(repository, last, page_rows);
    if (!tags) {
      return tl::unexpected(tags.error());
    }
    for (const auto& tag : *tags) {
      const auto record = repositories.tagged(repository, tag);
      auto done =
        record ? put_again(blobs, repositories, repository, *record, tag, now_ms) : result<void>{};
      if (!done) {
        return done;
      }
      last = tag;
    }
    if (tags->size() < page_rows) {
      return {};
    }
  }
}

result<void> upgrade_manifests(
  const storage::blob_store& blobs,
  storage::repository_store& repositories,
  std::int64_t now_ms) {
  std::string cursor;
  std::string repository;
  while (true) {
    const auto page = repositories.manifests_after(cursor, page_rows);
    if (!page) {
      return tl::unexpected(page.error());
    }
    for (const auto& item : *page) {
      const auto record = repositories.manifest(item.repository, item.id);
      auto done = record ? put_again(blobs, repositories, item.repository, *record, "", now_ms)
                         : result<void>{};
      if (done && item.repository != repository) {
        repository = item.repository;
        done = upgrade_tags(blobs, repositories, repository, now_ms);
      }
      if (!done) {
        return done;
      }
    }
    if (page->size() < page_rows) {
      return {};
    }
  }
}

}  // namespace

result<void> upgrade_repositories(
  const storage::blob_store& blobs,
  storage::repository_store& repositories,
  std::int64_t now_ms) {
  const auto format = repositories.note(format_note);
  if (!format || *format == format_now) {
    return format ? result<void>{} : tl::unexpected(format.error());
  }
  auto done = upgrade_blobs(repositories, now_ms);
  done = done ? upgrade_manifests(blobs, repositories, now_ms) : done;
  done = done ? repositories.set_note(format_note, format_now) : done;
  return done ? repositories.sync() : done;
}

}  // namespace slipway::gateways
