#include "storage/collector.hpp"

#include "runtime/crypto.hpp"
#include "storage/file_blob_store.hpp"
#include "storage/scrubber.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

using namespace slipway;
using namespace slipway::storage;
using messages::errc;

namespace {

constexpr std::int64_t hour = std::int64_t{60} * 60 * 1000;
constexpr std::int64_t day = 24 * hour;

digest digest_of(const std::string& bytes) {
  return {"sha256:" + runtime::sha256_hex(bytes)};
}

/// A registry's stores with a clock of their own.
struct world {
  world() {
    auto opened = open_file_blobs({folder.path() + "/blobs"});
    REQUIRE(opened);
    blobs = std::move(*opened);
    auto repos = open_repository_store(folder.path() + "/repositories");
    REQUIRE(repos);
    repositories = std::move(*repos);
    links = std::make_unique<linked_blobs>(*blobs, *repositories);
  }

  digest push(const std::string& repository, const std::string& bytes) {
    auto writer = blobs->begin(runtime::random_hex(32));
    REQUIRE(writer);
    REQUIRE((*writer)->append(bytes));
    REQUIRE(links->finish(**writer, repository, digest_of(bytes), now));
    return digest_of(bytes);
  }
  digest put(
    const std::string& repository,
    const std::string& bytes,
    const std::vector<reference>& needs,
    const std::string& tag = "",
    const std::string& subject = "") {
    new_manifest m;
    m.record = {digest_of(bytes).text, "type", bytes.size(), now, subject};
    m.references = needs;
    m.tag = tag;
    REQUIRE(links->put_manifest(repository, m, bytes));
    return digest_of(bytes);
  }
  static reference blob(const std::string& bytes) {
    return {digest_of(bytes), bytes.size(), false};
  }
  static reference member(const std::string& bytes) {
    return {digest_of(bytes), bytes.size(), true};
  }
  collection_report collect(bool dry_run = false, std::size_t rows_per_step = 2) {
    collector_options o;
    o.dry_run = dry_run;
    o.rows_per_step = rows_per_step;
    collector c(
      *blobs,
      *repositories,
      *links,
      [this](std::string_view name) -> messages::result<repository_use> {
        const auto found = uses.find(std::string(name));
        return found == uses.end() ? repository_use{} : found->second;
      },
      o);
    for (int steps = 0; c.step(now); ++steps) {
      REQUIRE(steps < 1000);
    }
    CHECK(c.report().failed.empty());
    return c.report();
  }
  bool there(const std::string& bytes) const { return blobs->exists(digest_of(bytes)) == true; }

  test::temp_folder folder;
  std::unique_ptr<file_blob_store> blobs;
  std::unique_ptr<repository_store> repositories;
  std::unique_ptr<linked_blobs> links;
  std::map<std::string, repository_use> uses{{"app", {true, false, {}}}, {"b", {true, false, {}}}};
  std::int64_t now = 100 * day;
};

}  // namespace

TEST_CASE("what nothing needs goes after the grace period, with its files, and not before") {
  world w;
  w.push("app", "layer");
  w.push("app", "stray");
  w.put("app", "kept", {w.blob("layer")}, "v1");
  w.put("app", "left", {w.blob("layer")});
  w.now += day;
  CHECK(w.collect().manifests == 0);
  CHECK(w.there("stray"));
  w.now += 1;
  const auto r = w.collect();
  CHECK(r.manifests == 1);
  CHECK(r.links == 1);
  CHECK(r.blobs == 2);
  CHECK(r.bytes == 9);
  CHECK_FALSE(w.there("stray"));
  CHECK_FALSE(w.there("left"));
  CHECK(w.there("kept"));
  CHECK(w.there("layer"));
  CHECK(w.collect().items.empty());
}

TEST_CASE("a dry run tells what a run then removes, and removes nothing") {
  world w;
  w.push("app", "layer");
  w.push("b", "layer");
  w.put("app", "member", {w.blob("layer")});
  w.put("app", "index", {w.member("member")});
  w.put("b", "image", {w.blob("layer")}, "v1");
  w.push("app", "stray");
  w.now += 2 * day;
  const auto told = w.collect(true);
  CHECK(w.there("index"));
  CHECK(w.there("stray"));
  const auto done = w.collect();
  CHECK(told.manifests == 2);
  CHECK(told.links == 2);
  CHECK(told.blobs == 3);  // the layer is still in the other repository
  CHECK(done.manifests == told.manifests);
  CHECK(done.links == told.links);
  CHECK(done.blobs == told.blobs);
  CHECK(done.bytes == told.bytes);
  CHECK(w.there("layer"));
}

TEST_CASE("an index keeps its members, and frees them when it goes") {
  world w;
  w.push("app", "layer");
  w.put("app", "member", {w.blob("layer")});
  w.put("app", "index", {w.member("member")}, "v1");
  w.now += 2 * day;
  CHECK(w.collect().items.empty());
  REQUIRE(w.repositories->remove_tag("app", "v1", w.now));
  CHECK(w.collect().items.empty());  // untagged just now
  w.now += day + 1;
  CHECK(w.collect().manifests == 2);
  CHECK_FALSE(w.there("layer"));
}

TEST_CASE("a tag that moves gives what it leaves a grace period") {
  world w;
  w.put("app", "old", {}, "latest");
  w.now += 30 * day;
  w.put("app", "new", {}, "latest");
  w.now += day;
  CHECK(w.collect().items.empty());
  w.now += 1;
  CHECK(w.collect().manifests == 1);
  CHECK(w.repositories->tagged("app", "latest")->digest == digest_of("new").text);
}

TEST_CASE(
  "a referrer lives as long as its subject, and an untagged one that waits for it a grace period") {
  world w;
  w.put("app", "subject", {}, "v1");
  w.put("app", "signature", {}, "", digest_of("subject").text);
  w.put("app", "of a signature", {}, "", digest_of("signature").text);
  w.put("app", "of nothing", {}, "", digest_of("never pushed").text);
  w.now += 2 * day;
  CHECK(w.collect(true).manifests == 1);
  CHECK(w.collect().manifests == 1);
  CHECK(w.repositories->referrers("app", digest_of("subject"), "", "", 10)->list.size() == 1);
  REQUIRE(w.repositories->remove_manifest("app", digest_of("subject")));
  CHECK(w.collect().manifests == 2);
  CHECK(w.repositories->referrers("app", digest_of("subject"), "", "", 10)->list.empty());
}

TEST_CASE("a manifest that a release names is kept without a tag") {
  world w;
  w.push("app", "layer");
  w.put("app", "released", {w.blob("layer")});
  w.uses["app"].manifests = {digest_of("released").text};
  w.now += 100 * day;
  CHECK(w.collect().items.empty());
  w.uses["app"] = {true, true, {}};
  CHECK(w.collect().items.empty());
  w.uses["app"] = {true, false, {}};
  CHECK(w.collect().manifests == 1);
}

TEST_CASE("a repository that nobody knows goes whole after nobody knew it for the grace period") {
  world w;
  w.push("gone", "layer");
  w.put("gone", "image", {w.blob("layer")}, "latest");
  w.now += 10 * day;
  CHECK(w.collect().items.empty());  // found out just now
  w.now += day - 1;
  CHECK(w.collect().items.empty());
  w.uses["gone"].known = true;
  CHECK(w.collect().items.empty());  // known again: it begins anew
  w.uses.erase("gone");
  w.now += 10 * day;
  CHECK(w.collect().items.empty());
  w.now += day;
  CHECK(w.collect(true).blobs == 2);
  const auto r = w.collect();
  CHECK(r.repositories == 1);
  CHECK(r.manifests == 1);
  CHECK(r.links == 1);
  CHECK(r.blobs == 2);
  CHECK(w.repositories->repositories("", 10)->size() == 0);
  CHECK(w.repositories->tagged("gone", "latest").error().code == errc::manifest_unknown);
}

TEST_CASE("asked for by a pusher, a blob stays for a grace period more") {
  world w;
  w.push("app", "layer");
  w.now += 10 * day;
  REQUIRE(w.repositories->touch_blob("app", digest_of("layer"), w.now));
  CHECK(w.collect().items.empty());
  w.now += day + 1;
  CHECK(w.collect().links == 1);
  CHECK(
    w.repositories->touch_blob("app", digest_of("layer"), w.now).error().code
    == errc::blob_unknown);
}

TEST_CASE("what changed between a look and the removal is not removed") {
  world w;
  w.push("app", "a");
  w.push("app", "b");
  w.put("app", "m", {});
  w.now += 2 * day;
  const auto before = w.now - day;
  std::string cursor;
  const auto blobs = w.repositories->blobs_after(cursor, 10).value();
  cursor.clear();
  const auto manifests = w.repositories->manifests_after(cursor, 10).value();
  REQUIRE(w.repositories->touch_blob("app", digest_of("a"), w.now));
  w.put("app", "needs b", {w.blob("b")}, "v1");
  w.put("app", "m", {}, "m");
  CHECK(w.repositories->collect_blobs(blobs, before, false)->empty());
  CHECK(w.repositories->collect_manifests(manifests, before, false)->empty());
  CHECK(w.links->remove_unless_linked(digest_of("a")) == false);
}

TEST_CASE(
  "a push that meets the collection ends with a manifest whose blobs are there, or is told that "
  "they are not") {
  world w;
  std::atomic<bool> over{false};
  // A clock that runs so fast that everything is always old.
  std::atomic<std::int64_t> now{100 * day};
  std::thread collecting([&] {
    while (!over) {
      collector_options o;
      o.grace_ms = 0;
      collector c(
        *w.blobs,
        *w.repositories,
        *w.links,
        [](std::string_view) {
          return repository_use{true, false, {}};
        },
        o);
      while (c.step(now += 2)) {
      }
    }
  });
  int kept = 0;
  for (int i = 0; i < 400; ++i) {
    const auto layer = "layer " + std::to_string(i % 3);
    const auto d = digest_of(layer);
    if (!w.repositories->blob("app", d)) {
      w.now = now += 2;
      w.push("app", layer);
    }
    new_manifest m;
    const auto bytes = "manifest " + std::to_string(i);
    m.record = {digest_of(bytes).text, "type", bytes.size(), now += 2, ""};
    m.references = {w.blob(layer)};
    m.tag = "t" + std::to_string(i % 2);
    const auto done = w.links->put_manifest("app", m, bytes);
    if (done) {
      ++kept;
      REQUIRE(w.there(layer));
      REQUIRE(w.there(bytes));
      REQUIRE(w.repositories->blob("app", d));
    } else {
      REQUIRE(done.error().code == errc::manifest_blob_unknown);
    }
    REQUIRE(w.repositories->remove_tag("app", m.tag, now += 2).has_value() == done.has_value());
  }
  over = true;
  collecting.join();
  CHECK(kept > 0);
}

TEST_CASE("a rotten blob is found, set aside and unknown until it is pushed again") {
  world w;
  w.push("app", "good");
  w.push("app", std::string(3'000'000, 'x'));
  w.push("b", "rotten");
  w.put("b", "image", {w.blob("rotten")}, "v1");
  const auto hex = digest_of("rotten").text.substr(7);
  const auto path = w.folder.path() + "/blobs/blobs/sha256/" + hex.substr(0, 2) + "/" + hex;
  std::ofstream(path) << "rotteN";
  const auto scrub = [&w] {
    scrubber s(*w.blobs, *w.links, "");
    while (s.step(w.now).more) {
    }
    return s.report();
  };
  const auto r = scrub();
  CHECK(r.blobs == 4);
  CHECK(r.bytes == 3'000'000 + 4 + 6 + 5);
  CHECK(r.rotten == std::vector<std::string>{digest_of("rotten").text});
  CHECK(w.repositories->blob("b", digest_of("rotten")).error().code == errc::blob_unknown);
  CHECK_FALSE(w.there("rotten"));
  const auto quarantine = w.folder.path() + "/blobs/quarantine";
  CHECK(std::distance(std::filesystem::directory_iterator(quarantine), {}) == 1);
  CHECK(scrub().rotten_count == 0);
  w.push("app", "rotten");
  CHECK(w.repositories->blob("b", digest_of("rotten")));
  CHECK(scrub().rotten_count == 0);
}

TEST_CASE("blobs are listed in order and in pages") {
  world w;
  std::vector<digest> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(w.push("app", "blob " + std::to_string(i)));
  }
  std::sort(all.begin(), all.end());
  std::vector<digest> seen;
  while (true) {
    const auto page = w.blobs->list(seen.empty() ? digest{} : seen.back(), 7);
    REQUIRE(page);
    seen.insert(seen.end(), page->begin(), page->end());
    if (page->size() < 7) {
      break;
    }
  }
  CHECK(seen == all);
}
