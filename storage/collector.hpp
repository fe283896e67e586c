#pragma once

#include "messages/fields.hpp"
#include "storage/linked_blobs.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace slipway::storage {

/// What those who made a repository know of it.
struct repository_use {
  bool known = false;     ///< else it goes as a whole, once nobody knew it for the grace period
  bool keep_all = false;  ///< known, but not which manifests of it are in use
  std::vector<std::string> manifests;  ///< digests in use, tagged or not
};
/// May block for as long as a lookup takes. Called on the thread that runs the collector.
using repository_user =
  std::function<messages::result<repository_use>(std::string_view repository)>;

struct collector_options {
  std::int64_t grace_ms = std::int64_t{24} * 60 * 60 * 1000;
  std::size_t rows_per_step = 100;  ///< looked at, so a few milliseconds
  bool dry_run = false;             ///< finds out what would go, removes nothing
  std::size_t told_max = 1000;      ///< items told in the report; all are counted
  std::size_t doomed_max =
    1'000'000;  ///< of a dry run, which keeps them in memory; then it stops: too_large
};

/// One thing that went, or would go, and why.
struct collected_item {
  std::string kind;  ///< repository, manifest, link, blob
  std::string repository;
  std::string digest;
  std::uint64_t bytes = 0;
  std::string why;
  SLIPWAY_FIELDS(kind, repository, digest, bytes, why)
};

struct collection_report {
  bool dry_run = false;
  bool done = false;
  std::string phase;
  std::string failed;  ///< what ended it early, "" = nothing
  std::int64_t started_ms = 0, ended_ms = 0;
  std::uint64_t looked_at = 0;
  std::uint64_t repositories = 0;  ///< that nobody knows for longer than the grace period
  std::uint64_t manifests = 0, links = 0, blobs = 0;
  std::uint64_t bytes = 0;  ///< of blobs: what the disk gets back
  std::vector<collected_item> items;
  SLIPWAY_FIELDS(
    dry_run,
    done,
    phase,
    failed,
    started_ms,
    ended_ms,
    looked_at,
    repositories,
    manifests,
    links,
    blobs,
    bytes,
    items)
};

/// One run of the garbage collection, in steps of a few milliseconds that hold no lock from one to the next. Proof of use is a row: a
/// manifest is needed by a tag, an index, its living subject or whoever made the repository; a blob by a manifest. Whatever is needed by
/// nothing and was not touched for the grace period goes, then blobs that no repository links. ADR 77.
class collector {
public:
  collector(
    blob_store& blobs,
    repository_store& repositories,
    linked_blobs& links,
    repository_user used_by,
    collector_options o);

  /// One step; false once the run is over.
  bool step(std::int64_t now_ms);
  [[nodiscard]] const collection_report& report() const { return report_; }

private:
  enum class phase { repositories, manifests, links, blobs, over };
  using items = std::vector<held_item>;

  messages::result<void> look_at_repositories(std::int64_t now_ms);
  messages::result<void> look_at_manifests(std::int64_t now_ms);
  messages::result<void> look_at_links(std::int64_t now_ms);
  messages::result<void> look_at_blobs();
  messages::result<void> enter(phase next);

  [[nodiscard]] bool forgotten(const std::string& repository) const {
    return forgotten_.contains(repository);
  }
  messages::result<bool> manifest_needed(const held_item& m);
  /// By something that does not go itself.
  messages::result<bool> held(const held_item& item) const;
  messages::result<void> manifests_gone(items candidates, bool whole_repository);
  messages::result<void> links_gone(items candidates, bool whole_repository);
  void tell(collected_item item);
  messages::result<void> doom(std::string key);
  [[nodiscard]] bool doomed(const std::string& key) const { return doomed_.contains(key); }

  blob_store& blobs_;
  repository_store& repositories_;
  linked_blobs& links_;
  repository_user used_by_;
  collector_options options_;
  collection_report report_;
  phase phase_ = phase::repositories;
  std::string cursor_;
  bool went_in_this_pass_ = false;
  std::int64_t before_ms_ = 0;
  std::unordered_set<std::string> forgotten_;  ///< repositories that go as a whole
  std::string use_of_;                         ///< repository of `use_`
  repository_use use_;
  // Of a dry run: what would have gone, as kind, repository and digest.
  std::unordered_set<std::string> doomed_;
  std::unordered_map<std::string, std::uint64_t> doomed_links_;  ///< by digest: links that would go
};

}  // namespace slipway::storage
