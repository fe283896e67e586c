#include "gateways/registry/upgrade.hpp"

#include "messages/codec.hpp"
#include "runtime/crypto.hpp"
#include "storage/collector.hpp"
#include "storage/file_blob_store.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <rocksdb/db.h>

#include <memory>

using namespace slipway;
using namespace slipway::storage;

namespace {

/// A manifest and a blob link as the first format wrote them.
struct old_manifest {
  std::string digest, media_type;
  std::uint64_t size = 0;
  SLIPWAY_FIELDS(digest, media_type, size)
};
struct old_link {
  std::uint64_t size = 0;
  SLIPWAY_FIELDS(size)
};

digest digest_of(const std::string& bytes) {
  return {"sha256:" + runtime::sha256_hex(bytes)};
}

std::string part(const std::string& bytes, const std::string& type) {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest_of(bytes).text + R"(","size":)"
         + std::to_string(bytes.size()) + "}";
}

const std::string image_type = "application/vnd.oci.image.manifest.v1+json";
const std::string index_type = "application/vnd.oci.image.index.v1+json";

struct old_store {
  explicit old_store(const test::temp_folder& folder) : path(folder.path() + "/repositories") {
    rocksdb::Options o;
    o.create_if_missing = true;
    rocksdb::DB* raw = nullptr;
    REQUIRE(rocksdb::DB::Open(o, path, &raw).ok());
    db.reset(raw);
  }
  void put(const std::string& key, const std::string& value) {
    REQUIRE(db->Put(rocksdb::WriteOptions(), key, value).ok());
  }
  static std::string key(char table, const std::string& rest) {
    return std::string(1, table) + "app" + '\0' + rest;
  }
  void link(const std::string& bytes) {
    put(key('b', digest_of(bytes).text), messages::pack(old_link{bytes.size()}));
  }
  void manifest(const std::string& bytes, const std::string& type) {
    const auto d = digest_of(bytes).text;
    put(key('m', d), messages::pack(old_manifest{d, type, bytes.size()}));
  }
  std::string path;
  std::unique_ptr<rocksdb::DB> db;
};

}  // namespace

TEST_CASE("records of the first format are completed, and nothing that they hold is collected") {
  const test::temp_folder folder;
  auto blobs = open_file_blobs({folder.path() + "/blobs"});
  REQUIRE(blobs);
  const std::string config = "{}";
  const std::string layer = "a layer";
  const auto image = R"({"schemaVersion":2,"mediaType":")" + image_type + R"(","config":)"
                     + part(config, "application/vnd.oci.image.config.v1+json") + R"(,"layers":[)"
                     + part(layer, "application/x") + "]}";
  const auto index = R"({"schemaVersion":2,"mediaType":")" + index_type + R"(","manifests":[)"
                     + part(image, image_type) + "]}";
  {
    old_store old(folder);
    for (const auto& bytes : {config, layer, image, index}) {
      REQUIRE((*blobs)->put(digest_of(bytes), bytes));
    }
    old.link(config);
    old.link(layer);
    old.manifest(image, image_type);
    old.manifest(index, index_type);
    old.put(old_store::key('t', "v1"), digest_of(index).text);
  }
  const auto repositories = open_repository_store(folder.path() + "/repositories").value();
  constexpr std::int64_t now = 1'000'000;
  REQUIRE(gateways::upgrade_repositories(**blobs, *repositories, now));
  REQUIRE(gateways::upgrade_repositories(**blobs, *repositories, now + 1));
  CHECK(repositories->tagged("app", "v1")->touched_ms == now);
  linked_blobs links(**blobs, *repositories);
  const auto collect = [&](bool known) {
    collector_options o;
    o.grace_ms = 0;
    collector c(
      **blobs,
      *repositories,
      links,
      [known](std::string_view) {
        return repository_use{known, false, {}};
      },
      o);
    while (c.step(now * 2)) {
    }
    return c.report();
  };
  CHECK(collect(true).items.empty());
  REQUIRE(repositories->remove_tag("app", "v1", now));
  const auto r = collect(true);
  CHECK(r.manifests == 2);
  CHECK(r.links == 2);
  CHECK(r.blobs == 4);
}
