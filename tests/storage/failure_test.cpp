#include "storage/embedded_store.hpp"
#include "tests/storage/store_fixture.hpp"
#include "tests/support/temp_folder.hpp"

#include <rocksdb/env.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>

using namespace slipway;
using namespace slipway::tests;
using namespace std::string_literals;
using messages::errc;

namespace {

/// What goes wrong with WAL files from now on.
struct faults {
  std::atomic<bool> append_full{false};
  std::atomic<bool> append_fails{false};
  std::atomic<bool> sync_fails{false};
  std::atomic<std::uint64_t> free_bytes{1ULL << 40U};
};

class failing_file : public rocksdb::WritableFileWrapper {
public:
  failing_file(std::unique_ptr<rocksdb::WritableFile> file, faults& f)
    : rocksdb::WritableFileWrapper(file.get()), file_(std::move(file)), faults_(f) {}
  rocksdb::Status Append(const rocksdb::Slice& data) override {
    if (faults_.append_full) {
      return rocksdb::Status::NoSpace("no space left on device");
    }
    if (faults_.append_fails) {
      return rocksdb::Status::IOError("broken cable");
    }
    return file_->Append(data);
  }
  rocksdb::Status Append(const rocksdb::Slice& data, const rocksdb::DataVerificationInfo&)
    override {
    return Append(data);
  }
  rocksdb::Status Sync() override {
    return faults_.sync_fails ? rocksdb::Status::IOError("sync failed") : file_->Sync();
  }
  rocksdb::Status Fsync() override { return Sync(); }

private:
  std::unique_ptr<rocksdb::WritableFile> file_;
  faults& faults_;
};

class failing_env : public rocksdb::EnvWrapper {
public:
  explicit failing_env(rocksdb::Env* base) : rocksdb::EnvWrapper(base) {}
  rocksdb::Status NewWritableFile(
    const std::string& name,
    std::unique_ptr<rocksdb::WritableFile>* file,
    const rocksdb::EnvOptions& options) override {
    auto s = target()->NewWritableFile(name, file, options);
    if (s.ok() && name.size() > 4 && name.substr(name.size() - 4) == ".log") {
      *file = std::make_unique<failing_file>(std::move(*file), broken);
    }
    return s;
  }
  rocksdb::Status GetFreeSpace(const std::string&, std::uint64_t* bytes) override {
    *bytes = broken.free_bytes;
    return rocksdb::Status::OK();
  }
  faults broken;
};

struct failing_store {
  test::temp_folder folder;
  failing_env env{rocksdb::Env::Default()};
  storage::store store;

  failing_store() { open(); }
  void open() {
    store = {};
    auto opened = storage::open_embedded({folder.path() + "/store", &env, test_schema()});
    INFO((opened ? "" : opened.error().detail));
    REQUIRE(opened);
    store = std::move(*opened);
  }
  messages::result<messages::appended> append(const messages::commit& c) const {
    return store.log->append(std::span(&c, 1)).front();
  }
};

story note(std::int64_t entity = 64) {
  return story(fleet(entity)).event(messages::event_type::note, 0, 0, {{0, "something"s}});
}

void expect_closed_to_writes_until_reopened(failing_store& s, errc code, std::uint64_t before) {
  CHECK(code_of(s.append(note())) == code);
  s.env.broken.append_full = false;
  s.env.broken.append_fails = false;
  s.env.broken.sync_fails = false;
  // The disk is well again, but what the failed write left behind is not known.
  CHECK(code_of(s.append(note())) == code);
  CHECK(s.store.log->last()[0] == before);
  s.open();
  const auto kept = s.store.log->last()[0];
  CHECK(kept >= before);      // nothing acknowledged is lost
  CHECK(kept <= before + 1);  // and what was not may be there whole
  CHECK(records(*s.store.log, 0).size() == kept);
  CHECK(s.append(note())->position.seq == kept + 1);
}

std::vector<std::filesystem::path> wal_files(const std::string& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".log" && std::filesystem::file_size(entry.path()) > 0) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// A copy of what a killed process leaves: the WAL as it is, nothing flushed.
std::string killed_copy(const std::string& from, const std::string& to) {
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  std::filesystem::remove(to + "/LOCK");
  return to;
}

}  // namespace

TEST_CASE("a full disk is told as such and loses nothing that was acknowledged") {
  failing_store s;
  REQUIRE(s.append(note()));
  s.env.broken.append_full = true;
  expect_closed_to_writes_until_reopened(s, errc::disk_full, 1);
}

TEST_CASE("a failing write is told and loses nothing that was acknowledged") {
  failing_store s;
  REQUIRE(s.append(note()));
  s.env.broken.append_fails = true;
  expect_closed_to_writes_until_reopened(s, errc::io_failed, 1);
}

TEST_CASE("a failing sync is told and loses nothing that was acknowledged") {
  failing_store s;
  REQUIRE(s.append(note()));
  s.env.broken.sync_fails = true;
  expect_closed_to_writes_until_reopened(s, errc::io_failed, 1);
}

TEST_CASE("reads go on while the store is closed to writes") {
  failing_store s;
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64)));
  s.env.broken.sync_fails = true;
  REQUIRE_FALSE(s.append(note()));
  CHECK(s.store.rows->view()->get(fleets::resource, 64).has_value());
  CHECK(s.store.rows->view()->position()[0] == 1);
  CHECK(s.store.log->version(fleet(64)) == 1);
  s.env.broken.sync_fails = false;
}

TEST_CASE("an id is not given twice when the reservation could not be stored: nothing may use it") {
  failing_store s;
  REQUIRE(s.append(note()));
  s.env.broken.sync_fails = true;
  CHECK(s.store.log->next_id(3) > 0);
  s.env.broken.sync_fails = false;
  CHECK(code_of(s.append(note())) == errc::io_failed);
}

TEST_CASE("little space refuses appends before anything is written, until there is room") {
  failing_store s;
  s.env.broken.free_bytes = 1000;
  s.open();
  CHECK(code_of(s.append(note())) == errc::disk_full);
  CHECK(s.store.log->last()[0] == 0);
  s.env.broken.free_bytes = 1ULL << 40U;
  CHECK(s.append(note()));  // no need to open again
}

TEST_CASE("a torn end of the WAL costs only what was not acknowledged") {
  test::temp_folder folder;
  const auto live = folder.path() + "/live";
  std::vector<std::uintmax_t> sizes;
  {
    auto store = storage::open_embedded({live, nullptr, test_schema()});
    REQUIRE(store);
    const auto wal = wal_files(live);
    for (int i = 0; i < 5; ++i) {
      const messages::commit c = story(fleet(64)).create(
        fleets::resource,
        64 * (i + 1),
        {{fleets::slug, std::to_string(i)}});
      REQUIRE(store->log->append(std::span(&c, 1)).front());
      const auto files = wal_files(live);
      REQUIRE(!files.empty());
      sizes.push_back(std::filesystem::file_size(files.back()));
    }
    killed_copy(live, folder.path() + "/killed");
  }
  const auto wal_name = wal_files(folder.path() + "/killed").back().filename();
  // Every length from the fourth acknowledged commit to the fifth: the fifth is there only when it is whole.
  int round = 0;
  for (auto size = sizes[3]; size <= sizes[4]; size += 1 + (sizes[4] - sizes[3]) / 23) {
    const auto copy =
      killed_copy(folder.path() + "/killed", folder.path() + "/" + std::to_string(++round));
    std::filesystem::resize_file(copy + "/" + wal_name.string(), size);
    auto store = storage::open_embedded({copy, nullptr, test_schema()});
    INFO("cut at " << size << " of " << sizes[4]);
    INFO((store ? "" : store.error().detail));
    REQUIRE(store);
    CHECK(store->log->last()[0] == (size == sizes[4] ? 5 : 4));
    *store = {};
    const auto report = storage::rebuild({copy, nullptr, test_schema()});
    REQUIRE(report);
    CHECK(report->identical);
    std::filesystem::remove_all(copy);
  }
}

TEST_CASE(
  "flipped bytes in the WAL never pass: the store refuses to open, or has only whole commits") {
  test::temp_folder folder;
  const auto live = folder.path() + "/live";
  std::uintmax_t size = 0;
  {
    auto store = storage::open_embedded({live, nullptr, test_schema()});
    REQUIRE(store);
    const auto start = std::filesystem::file_size(wal_files(live).back());
    for (int i = 0; i < 5; ++i) {
      const messages::commit c = story(fleet(64)).create(
        fleets::resource,
        64 * (i + 1),
        {{fleets::slug, std::to_string(i)}});
      REQUIRE(store->log->append(std::span(&c, 1)).front());
    }
    size = std::filesystem::file_size(wal_files(live).back());
    REQUIRE(size > start);
    killed_copy(live, folder.path() + "/killed");
  }
  const auto wal_name = wal_files(folder.path() + "/killed").back().filename().string();
  int refused = 0;
  int round = 0;
  for (std::uintmax_t at = size / 7; at < size; at += size / 29) {
    const auto copy =
      killed_copy(folder.path() + "/killed", folder.path() + "/" + std::to_string(++round));
    {
      std::fstream file(copy + "/" + wal_name, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const auto byte = static_cast<char>(file.get() ^ 0x55);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    }
    auto store = storage::open_embedded({copy, nullptr, test_schema()});
    INFO("flipped at " << at << " of " << size);
    if (!store) {
      CHECK(store.error().code == errc::corrupt);
      ++refused;
    } else {
      *store = {};
      const auto report = storage::rebuild({copy, nullptr, test_schema()});
      INFO((report ? "" : report.error().detail));
      REQUIRE(report);
      CHECK(report->identical);
      CHECK(report->commits <= 5);
    }
    std::filesystem::remove_all(copy);
  }
  CHECK(refused > 0);
}
