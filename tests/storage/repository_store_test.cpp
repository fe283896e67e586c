#include "storage/repository_store.hpp"

#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::storage;
using messages::errc;

namespace {

digest digest_of(char c) {
  return {"sha256:" + std::string(64, c)};
}

manifest_record record(char c) {
  return {digest_of(c).text, "application/vnd.oci.image.manifest.v1+json", 10, 1, ""};
}

new_manifest manifest_of(char c, const std::string& tag) {
  new_manifest m;
  m.record = record(c);
  m.tag = tag;
  return m;
}

std::unique_ptr<repository_store> open_store(const test::temp_folder& folder) {
  auto store = open_repository_store(folder.path() + "/deep/registry");
  REQUIRE(store);
  return std::move(*store);
}

}  // namespace

TEST_CASE("a manifest and its tag are found again, also after the store was opened anew") {
  const test::temp_folder folder;
  {
    const auto store = open_store(folder);
    REQUIRE(store->put_manifest("v2/app", manifest_of('a', "latest")));
  }
  const auto store = open_store(folder);
  CHECK(store->manifest("v2/app", digest_of('a'))->media_type == record('a').media_type);
  CHECK(store->tagged("v2/app", "latest")->digest == digest_of('a').text);
  CHECK(store->tagged("v2/app", "late").error().code == errc::manifest_unknown);
  CHECK(store->manifest("v2/other", digest_of('a')).error().code == errc::manifest_unknown);
}

TEST_CASE("a tag moves to the manifest that was put last") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  REQUIRE(store->put_manifest("app", manifest_of('a', "v1")));
  REQUIRE(store->put_manifest("app", manifest_of('b', "v1")));
  CHECK(store->tagged("app", "v1")->digest == digest_of('b').text);
  CHECK(store->manifest("app", digest_of('a')));
}

TEST_CASE("tags are listed in order and in pages, and never those of another repository") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  for (const auto* tag : {"b", "a", "c", "d"}) {
    REQUIRE(store->put_manifest("app", manifest_of('a', tag)));
  }
  REQUIRE(store->put_manifest("app2", manifest_of('a', "z")));
  REQUIRE(store->put_manifest("app/x", manifest_of('a', "y")));
  CHECK(store->tags("app", "", 100).value() == std::vector<std::string>{"a", "b", "c", "d"});
  CHECK(store->tags("app", "", 2).value() == std::vector<std::string>{"a", "b"});
  CHECK(store->tags("app", "b", 2).value() == std::vector<std::string>{"c", "d"});
  CHECK(store->tags("app", "bb", 1).value() == std::vector<std::string>{"c"});
  CHECK(store->tags("nothing", "", 100).error().code == errc::not_found);
  REQUIRE(store->remove_tag("app2", "z", 1));
  CHECK(store->tags("app2", "", 100).value().empty());
}

TEST_CASE("a removed manifest takes its tags along and no others") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  REQUIRE(store->put_manifest("app", manifest_of('a', "v1")));
  REQUIRE(store->put_manifest("app", manifest_of('a', "latest")));
  REQUIRE(store->put_manifest("app", manifest_of('b', "v2")));
  REQUIRE(store->remove_manifest("app", digest_of('a')));
  CHECK(store->remove_manifest("app", digest_of('a')).error().code == errc::manifest_unknown);
  CHECK(store->tags("app", "", 100).value() == std::vector<std::string>{"v2"});
  CHECK(store->remove_tag("app", "v1", 1).error().code == errc::manifest_unknown);
}

TEST_CASE("a blob is readable through the repositories it is linked to only") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  REQUIRE(store->link_blob("app", digest_of('a'), {123, 1}));
  CHECK(store->blob("app", digest_of('a'))->size == 123U);
  CHECK(store->blob("other", digest_of('a')).error().code == errc::blob_unknown);
  REQUIRE(store->unlink_blob("app", digest_of('a')));
  CHECK(store->blob("app", digest_of('a')).error().code == errc::blob_unknown);
  CHECK(store->unlink_blob("app", digest_of('a')).error().code == errc::blob_unknown);
}

TEST_CASE("uploads are remembered with their repository and found when idle") {
  const test::temp_folder folder;
  {
    const auto store = open_store(folder);
    REQUIRE(store->put_upload("one", {"app", 1000}));
    REQUIRE(store->put_upload("two", {"app", 3000}));
  }
  const auto store = open_store(folder);
  CHECK(store->upload("one")->repository == "app");
  CHECK(store->uploads_before(2000, 10).value() == std::vector<std::string>{"one"});
  REQUIRE(store->remove_upload("one"));
  CHECK(store->upload("one").error().code == errc::upload_unknown);
}
