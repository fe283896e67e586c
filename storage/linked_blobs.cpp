#include "storage/linked_blobs.hpp"

#include "runtime/failpoint.hpp"

#include <functional>
#include <mutex>

namespace slipway::storage {

using messages::result;

std::shared_mutex& linked_blobs::lock_of(const digest& d) {
  return locks_[std::hash<std::string>{}(d.text) % shards];
}

result<void> linked_blobs::finish(
  blob_writer& writer,
  std::string_view repository,
  const digest& d,
  std::int64_t now_ms) {
  const std::shared_lock lock(lock_of(d));
  const auto size = writer.offset();
  auto done = writer.finish(d);
  SLIPWAY_FAILPOINT("link.blob.stored");
  return done ? repositories_.link_blob(repository, d, {size, now_ms}) : done;
}

result<std::uint64_t> linked_blobs::mount(
  std::string_view from,
  std::string_view to,
  const digest& d,
  std::int64_t now_ms) {
  const std::shared_lock lock(lock_of(d));
  const auto source = repositories_.blob(from, d);
  if (!source) {
    return tl::unexpected(source.error());
  }
  const auto linked = repositories_.link_blob(to, d, {source->size, now_ms});
  return linked ? result<std::uint64_t>(source->size) : tl::unexpected(linked.error());
}

result<void> linked_blobs::put_manifest(
  std::string_view repository,
  const new_manifest& m,
  std::string_view bytes) {
  // Before a file is written; the record's own step looks again.
  if (auto here = repositories_.check(repository, m.references); !here) {
    return here;
  }
  const digest d{m.record.digest};
  const std::shared_lock lock(lock_of(d));
  auto done = blobs_.put(d, bytes);
  SLIPWAY_FAILPOINT("link.manifest.stored");
  return done ? repositories_.put_manifest(repository, m) : done;
}

result<bool> linked_blobs::remove_unless_linked(const digest& d) {
  // Who holds it is about to link something; the next run looks again.
  const std::unique_lock lock(lock_of(d), std::try_to_lock);
  if (!lock) {
    return false;
  }
  const auto linked = repositories_.links(d, 1);
  if (!linked) {
    return tl::unexpected(linked.error());
  }
  if (*linked > 0) {
    return false;
  }
  const auto removed = blobs_.remove(d);
  SLIPWAY_FAILPOINT("collect.blob.removed");
  if (!removed && removed.error().code != messages::errc::blob_unknown) {
    return tl::unexpected(removed.error());
  }
  return removed.has_value();
}

result<bool> linked_blobs::quarantine(const digest& d, const blob_reader& read) {
  const std::unique_lock lock(lock_of(d));
  // Marked first: when the machine dies between the two, the blob is unknown, never known and missing.
  if (auto marked = repositories_.set_lost(d, true); !marked) {
    return tl::unexpected(marked.error());
  }
  SLIPWAY_FAILPOINT("quarantine.marked");
  auto aside = blobs_.quarantine(d, read);
  if (!aside || !*aside) {
    if (auto cleared = repositories_.set_lost(d, false); !cleared) {
      return tl::unexpected(cleared.error());
    }
  }
  return aside;
}

}  // namespace slipway::storage
