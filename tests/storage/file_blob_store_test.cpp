#include "storage/file_blob_store.hpp"

#include "runtime/crypto.hpp"
#include "tests/support/temp_folder.hpp"

#include <catch2/catch.hpp>
#include <openssl/evp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <utime.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace slipway;
using namespace slipway::storage;
using messages::errc;

namespace {

digest sha256_of(std::string_view bytes) {
  return {"sha256:" + runtime::sha256_hex(bytes)};
}

digest sha512_of(std::string_view bytes) {
  unsigned char md[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), md, &size, EVP_sha512(), nullptr);
  return {"sha512:" + runtime::hex({reinterpret_cast<const char*>(md), size})};
}

std::string id_of(int n) {
  auto hex = std::to_string(n);
  return std::string(32 - hex.size(), '0') + hex;
}

std::unique_ptr<file_blob_store> open_store(const test::temp_folder& folder) {
  file_blob_options o;
  o.root = folder.path() + "/blobstore";
  auto store = open_file_blobs(o);
  REQUIRE(store);
  return std::move(*store);
}

std::string read_all(const blob_store& store, const digest& d) {
  auto reader = store.open(d);
  REQUIRE(reader);
  std::string out((*reader)->size(), '\0');
  auto n = (*reader)->read_at(0, out);
  REQUIRE(n == out.size());
  return out;
}

int files_below(const std::string& path) {
  int n = 0;
  for (const auto& e : std::filesystem::recursive_directory_iterator(path)) {
    n += e.is_regular_file() ? 1 : 0;
  }
  return n;
}

}  // namespace

TEST_CASE("only well formed digests are accepted") {
  CHECK(parse_digest("sha256:" + std::string(64, 'a')));
  CHECK(parse_digest("sha512:" + std::string(128, '0')));
  for (const auto& bad :
       {std::string("sha256:"),
        "sha256:" + std::string(63, 'a'),
        "sha256:" + std::string(64, 'A'),
        "sha256:" + std::string(64, '/'),
        "sha512:" + std::string(64, 'a'),
        "md5:" + std::string(32, 'a'),
        std::string(64, 'a'),
        "sha256:../../../../etc/passwd" + std::string(42, 'a'),
        std::string()}) {
    CHECK(parse_digest(bad).error().code == errc::digest_invalid);
  }
}

TEST_CASE("a blob exists only once it is finished") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  const std::string bytes(3'000'000, 'x');
  const auto d = sha256_of(bytes);
  auto writer = store->begin(id_of(1));
  REQUIRE(writer);
  REQUIRE((*writer)->append(bytes));
  CHECK((*writer)->offset() == bytes.size());
  CHECK(store->exists(d) == false);
  REQUIRE((*writer)->finish(d));
  CHECK(store->exists(d) == true);
  CHECK(read_all(*store, d) == bytes);
  CHECK(files_below(folder.path() + "/blobstore/uploads") == 0);
}

TEST_CASE("blobs of zero bytes and blobs named by SHA-512 are stored too") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  const std::string bytes = "by another algorithm";
  auto empty = store->begin(id_of(1));
  REQUIRE((*empty)->finish(sha256_of("")));
  CHECK(read_all(*store, sha256_of("")).empty());
  auto other = store->begin(id_of(2));
  REQUIRE((*other)->append(bytes));
  CHECK((*other)->finish(sha512_of("else")).error().code == errc::digest_invalid);
  REQUIRE((*other)->finish(sha512_of(bytes)));
  CHECK(read_all(*store, sha512_of(bytes)) == bytes);
}

TEST_CASE("a wrong digest is refused and the upload can go on") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  auto writer = store->begin(id_of(1));
  REQUIRE((*writer)->append(std::string_view("first ")));
  CHECK((*writer)->finish(sha256_of("other")).error().code == errc::digest_invalid);
  CHECK(store->exists(sha256_of("other")) == false);
  REQUIRE((*writer)->append(std::string_view("second")));
  REQUIRE((*writer)->finish(sha256_of("first second")));
}

TEST_CASE("an upload goes on after the store was closed and opened again") {
  const test::temp_folder folder;
  const std::string first(2'500'000, 'a');
  const std::string second(1'700'000, 'b');
  {
    const auto store = open_store(folder);
    auto writer = store->begin(id_of(7));
    REQUIRE((*writer)->append(first));
    REQUIRE((*writer)->flush());
  }
  const auto store = open_store(folder);
  auto writer = store->resume(id_of(7));
  REQUIRE(writer);
  CHECK((*writer)->offset() == first.size());
  REQUIRE((*writer)->append(second));
  REQUIRE((*writer)->finish(sha256_of(first + second)));
  CHECK(read_all(*store, sha256_of(first + second)) == first + second);
}

TEST_CASE("an upload has one writer, and unknown or malformed ids are unknown uploads") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  auto writer = store->begin(id_of(1));
  REQUIRE(writer);
  CHECK(store->resume(id_of(1)).error().code == errc::conflict);
  writer->reset();
  CHECK(store->resume(id_of(1)));
  CHECK(store->resume(id_of(2)).error().code == errc::upload_unknown);
  CHECK(store->resume("../../etc/passwd").error().code == errc::upload_unknown);
  CHECK(store->begin("../" + std::string(29, 'a')).error().code == errc::upload_unknown);
}

TEST_CASE("an aborted upload leaves nothing") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  auto writer = store->begin(id_of(1));
  REQUIRE((*writer)->append(std::string(5'000'000, 'z')));
  (*writer)->abort();
  CHECK(files_below(folder.path() + "/blobstore/uploads") == 0);
  CHECK((*writer)->append(std::string_view("x")).error().code == errc::upload_unknown);
  CHECK(store->resume(id_of(1)).error().code == errc::upload_unknown);
}

TEST_CASE("put stores small blobs, twice without harm, and refuses a wrong digest") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  REQUIRE(store->put(sha256_of("manifest"), "manifest"));
  REQUIRE(store->put(sha256_of("manifest"), "manifest"));
  CHECK(store->put(sha256_of("manifest"), "forged").error().code == errc::digest_invalid);
  CHECK(read_all(*store, sha256_of("manifest")) == "manifest");
  CHECK(files_below(folder.path() + "/blobstore/uploads") == 0);
  REQUIRE(store->remove(sha256_of("manifest")));
  CHECK(store->remove(sha256_of("manifest")).error().code == errc::blob_unknown);
  CHECK(store->open(sha256_of("manifest")).error().code == errc::blob_unknown);
}

TEST_CASE("stale uploads and half written puts go when the store opens") {
  const test::temp_folder folder;
  {
    const auto store = open_store(folder);
    REQUIRE((*store->begin(id_of(1)))->append(std::string_view("old")));
    REQUIRE((*store->begin(id_of(2)))->append(std::string_view("new")));
  }
  const auto uploads = folder.path() + "/blobstore/uploads/";
  const utimbuf long_ago{1'000'000, 1'000'000};
  REQUIRE(::utime((uploads + id_of(1)).c_str(), &long_ago) == 0);
  std::ofstream(uploads + "put-" + id_of(3)) << "half";
  const auto store = open_store(folder);
  CHECK(store->resume(id_of(1)).error().code == errc::upload_unknown);
  CHECK(store->resume(id_of(2)));
  CHECK(files_below(uploads) == 1);
}

TEST_CASE("sweeping leaves uploads that have a writer") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  auto writer = store->begin(id_of(1));
  REQUIRE((*writer)->append(std::string_view("live")));
  const utimbuf long_ago{1'000'000, 1'000'000};
  const auto path = folder.path() + "/blobstore/uploads/" + id_of(1);
  REQUIRE(::utime(path.c_str(), &long_ago) == 0);
  CHECK(store->sweep() == 0);
  writer->reset();
  REQUIRE(::utime(path.c_str(), &long_ago) == 0);
  CHECK(store->sweep() == 1);
}

TEST_CASE("two processes never share a blob folder") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  file_blob_options o;
  o.root = folder.path() + "/blobstore";
  CHECK(open_file_blobs(o).error().code == errc::unavailable);
}

TEST_CASE("many uploads at once, of the same and of different blobs, all arrive") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  constexpr int threads = 8;
  constexpr int each = 25;  // 200 uploads
  std::atomic<int> good{0};
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&store, &good, t] {
      for (int i = 0; i < each; ++i) {
        const std::string bytes(static_cast<std::size_t>(300'000 + 1'000 * (i % 5)), 'q');
        auto writer = store->begin(id_of(t * each + i));
        bool ok = writer.has_value();
        for (std::size_t at = 0; ok && at < bytes.size(); at += 100'000) {
          const auto part = std::string_view(bytes).substr(at, 100'000);
          ok = (*writer)->append(part).has_value();
        }
        good += ok && (*writer)->finish(sha256_of(bytes)) ? 1 : 0;
      }
    });
  }
  for (auto& t : all) {
    t.join();
  }
  CHECK(good == threads * each);
  CHECK(files_below(folder.path() + "/blobstore/blobs") == 5);
  CHECK(files_below(folder.path() + "/blobstore/uploads") == 0);
}

TEST_CASE(
  "a full disk is told as such, keeps what arrived, and the upload goes on when there is space") {
  const test::temp_folder folder;
  const auto store = open_store(folder);
  auto writer = store->begin(id_of(1));
  REQUIRE(writer);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto small = before;
  small.rlim_cur = 1'000'000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string bytes(1'500'000, 'd');
  const auto full = (*writer)->append(bytes);
  const auto put = store->put(sha256_of(bytes), bytes);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  REQUIRE(!full);
  CHECK(full.error().code == errc::disk_full);
  CHECK(put.error().code == errc::disk_full);
  CHECK(files_below(folder.path() + "/blobstore/uploads") == 1);
  REQUIRE((*writer)->offset() == 1'000'000);
  REQUIRE((*writer)->append(std::string_view(bytes).substr(1'000'000)));
  REQUIRE((*writer)->finish(sha256_of(bytes)));
  CHECK(read_all(*store, sha256_of(bytes)) == bytes);
}
