#include "gateways/assets/asset_store.hpp"
#include "gateways/assets/asset_uploads.hpp"
#include "runtime/crypto.hpp"
#include "storage/file_blob_store.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace slipway::gateways;
using slipway::messages::errc;

namespace {

std::unique_ptr<slipway::storage::file_blob_store> opened(const std::string& root) {
  slipway::storage::file_blob_options o;
  o.root = root;
  auto store = slipway::storage::open_file_blobs(o);
  REQUIRE(store);
  return std::move(*store);
}

struct world {
  slipway::test::temp_folder folder;
  std::unique_ptr<slipway::storage::file_blob_store> blobs = opened(folder.path());
  asset_store store{*blobs};
  std::set<std::string> rows;

  std::shared_ptr<asset_store::hold> given(const std::string& bytes) {
    auto writer = store.begin();
    REQUIRE(writer);
    REQUIRE((*writer)->append(bytes));
    auto held = store.finish(**writer);
    REQUIRE(held);
    CHECK((*held)->what().text == "sha256:" + slipway::runtime::sha256_hex(bytes));
    return *held;
  }
  std::size_t swept() {
    const auto gone = store.sweep([this] { return rows; });
    REQUIRE(gone);
    return *gone;
  }
};

}  // namespace

TEST_CASE("bytes stay while somebody holds them or a row names them") {
  world w;
  auto held = w.given("abc");
  const auto digest = held->what().text;
  CHECK(w.swept() == 0);
  w.rows.insert(digest);
  held.reset();
  CHECK(w.swept() == 0);
  CHECK(w.store.open(digest));
  w.rows.clear();
  w.store.rows_changed();
  CHECK(w.swept() == 1);
  CHECK(w.store.open(digest).error().code == errc::blob_unknown);
}

TEST_CASE("bytes that were held while a sweep looked are left for the next one") {
  world w;
  auto left = w.given("abc");
  const auto digest = left->what().text;
  left.reset();
  // The same bytes are uploaded, their row is written, the hold ends: all between the sweep's look at the rows and its removals.
  const auto gone = w.store.sweep([&] {
    const auto before = w.rows;
    w.given("abc").reset();
    w.rows.insert(digest);
    return before;
  });
  REQUIRE(gone);
  CHECK(*gone == 0);
  CHECK(w.store.open(digest));
  CHECK(w.swept() == 0);
}

TEST_CASE("nothing is looked for when nothing changed") {
  world w;
  CHECK(w.swept() == 0);
  bool asked = false;
  REQUIRE(w.store.sweep([&] {
    asked = true;
    return w.rows;
  }));
  CHECK(!asked);
}

TEST_CASE("what a killed process left of uploads goes at the next start") {
  slipway::test::temp_folder folder;
  slipway::storage::file_blob_options o;
  o.root = folder.path();
  o.upload_idle_ms_max = -1;
  {
    auto first = slipway::storage::open_file_blobs(o);
    REQUIRE(first);
    auto writer = (*first)->begin(std::string(32, 'a'));
    REQUIRE(writer);
    REQUIRE((*writer)->append(std::string("abc")));
  }
  auto second = slipway::storage::open_file_blobs(o);
  REQUIRE(second);
  CHECK(std::filesystem::is_empty(folder.path() + std::string("/uploads")));
}

TEST_CASE("an upload in parts knows its parts and joins only what arrived as told") {
  world w;
  asset_uploads uploads;
  stored_asset about;
  about.size = 150'000;
  const auto name = uploads.begin(7, about, 65'536, 0);
  REQUIRE(name);
  const auto upload = uploads.find(*name, 0);
  REQUIRE(upload);
  CHECK(upload->parts() == 3);
  CHECK(upload->part_bytes(1) == 65'536);
  CHECK(upload->part_bytes(3) == 150'000 - 2 * 65'536);
  CHECK(upload->part_bytes(0) == 0);
  CHECK(upload->part_bytes(4) == 0);
  upload->put(1, {65'536, w.given("a")});
  upload->put(2, {65'536, w.given("b")});
  const auto a = "sha256:" + slipway::runtime::sha256_hex("a");
  const auto b = "sha256:" + slipway::runtime::sha256_hex("b");
  CHECK(upload->all({{1, a}, {2, b}}).error().code == errc::conflict);
  upload->put(3, {18'928, w.given("c")});
  CHECK(!upload->all({{1, a}, {2, a}, {3, "x"}}));
  CHECK(
    upload->all({{1, a}, {2, b}, {3, "sha256:" + slipway::runtime::sha256_hex("c")}})->size() == 3);
  uploads.sweep(asset_uploads::idle_ms_max + 1);
  CHECK(!uploads.find(*name, 0));
}

TEST_CASE("uploads in parts have limits") {
  asset_uploads uploads;
  stored_asset about;
  about.size = 1'000'000'000'000;
  CHECK(uploads.begin(7, about, 65'536, 0).error().code == errc::invalid_argument);
  CHECK(uploads.begin(7, about, 1, 0).error().code == errc::invalid_argument);
  about.size = 0;
  CHECK(uploads.begin(7, about, 65'536, 0).error().code == errc::invalid_argument);
  about.size = 1;
  for (std::size_t i = 0; i < asset_uploads::uploads_max; ++i) {
    REQUIRE(uploads.begin(7, about, 65'536, 0));
  }
  CHECK(uploads.begin(7, about, 65'536, 0).error().code == errc::too_many_requests);
}
