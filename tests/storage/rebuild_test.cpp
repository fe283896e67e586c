#include "storage/database.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "tests/storage/random_workload.hpp"
#include "tests/storage/store_fixture.hpp"

#include <rocksdb/write_batch.h>

using namespace slipway;
using namespace slipway::tests;
using namespace std::string_literals;
using messages::errc;

namespace {

void fill(memory_store& s) {
  REQUIRE(s.append(
    story(fleet(64)).create(fleets::resource, 64, {{fleets::slug, "one"s}, {fleets::name, "n"s}})));
  REQUIRE(s.append(story(device(65))
                     .create(
                       devices::resource,
                       65,
                       {{devices::uuid, "ab"s}, {devices::fleet, std::int64_t{64}}})));
  REQUIRE(s.append(story(device(65)).change(devices::resource, 65, {{devices::status, "Idle"s}})));
}

/// Changes the closed store behind its back.
void tamper(
  memory_store& s,
  const std::function<void(storage::database&, rocksdb::WriteBatch&)>& how) {
  s.close();
  auto d = storage::database::open("/store", s.env.get());
  REQUIRE(d);
  rocksdb::WriteBatch batch;
  how(**d, batch);
  REQUIRE((*d)->db().Write({}, &batch).ok());
}

std::string row_key(std::uint16_t resource, std::int64_t id) {
  std::string key;
  storage::keys::append_row(key, resource, id);
  return key;
}

std::string log_key(int partition, std::uint64_t seq) {
  std::string key;
  storage::keys::append_log(key, partition, seq);
  return key;
}

}  // namespace

TEST_CASE("rebuilding an untouched store says identical and changes nothing that can be read") {
  memory_store s;
  fill(s);
  s.close();
  for (int i = 0; i < 3; ++i) {
    const auto report = storage::rebuild(s.options());
    REQUIRE(report);
    CHECK(report->identical);
    CHECK(report->commits == 3);
    CHECK(report->events == 3);
    CHECK(report->rows == 2);
    CHECK(report->versions == 2);
    CHECK(report->index_entries == 3 + 4);  // of a fleet and of a device
  }
  s.open();
  CHECK(s.store.log->version(device(65)) == 2);
  CHECK(s.append(story(device(65)).expecting(2).remove(devices::resource, 65)));
  CHECK(s.store.log->next_id(0) == 128);
}

TEST_CASE("a tampered row, index entry or version is found, named and put right") {
  memory_store s;
  fill(s);
  SECTION("a row that is other than the log says") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      messages::row row{std::int64_t{65}, std::int64_t{1}, std::int64_t{1}, "stolen"s};
      std::string bytes;
      storage::encode_row(bytes, row);
      batch.Put(d.model().rows, row_key(devices::resource, 65), bytes);
    });
  }
  SECTION("a row that is missing") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      batch.Delete(d.model().rows, row_key(devices::resource, 65));
    });
  }
  SECTION("a row that the log does not know") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      batch.Put(d.model().rows, row_key(devices::resource, 129), "\x01\x91\x01"s);
    });
  }
  SECTION("an index entry that points elsewhere") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      std::string key;
      storage::keys::append_index(key, devices::resource, devices::uuid);
      storage::keys::append_value(key, "ab"s);
      std::string value;
      storage::keys::append_u64(value, 640);
      batch.Put(d.model().index, key, value);
    });
  }
  SECTION("a version") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      std::string key;
      storage::keys::append_entity(key, device(65));
      batch.Delete(d.model().heads, key);
    });
  }
  const auto report = storage::rebuild(s.options());
  REQUIRE(report);
  CHECK_FALSE(report->identical);
  CHECK(report->differences == 1);
  REQUIRE(report->first_differences.size() == 1);
  const auto again = storage::rebuild(s.options());
  REQUIRE(again);
  CHECK(again->identical);
  s.open();
  const auto row = s.store.rows->view()->get(devices::resource, 65);
  REQUIRE(row);
  CHECK(messages::as_text(messages::field(*row, devices::uuid)) == "ab");
  CHECK(s.store.log->version(device(65)) == 2);
}

TEST_CASE("a log with a gap, a foreign record or a broken one is refused and nothing is swapped") {
  memory_store s;
  fill(s);
  SECTION("a gap") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      batch.Delete(d.log(), log_key(1, 1));
    });
  }
  SECTION("a record at another's place") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      std::string bytes;
      REQUIRE(d.db().Get({}, d.log(), log_key(1, 1), &bytes).ok());
      batch.Put(d.log(), log_key(1, 2), bytes);
    });
  }
  SECTION("a record that does not decode") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      batch.Put(d.log(), log_key(1, 1), "\x01\x93"s);
    });
  }
  SECTION("a version that skips") {
    tamper(s, [](storage::database& d, rocksdb::WriteBatch& batch) {
      std::string bytes;
      storage::encode_record(bytes, {1, 3}, 9, story(device(65)));
      batch.Put(d.log(), log_key(1, 3), bytes);
    });
  }
  for (const auto& found : {storage::rebuild(s.options()), storage::verify(s.options())}) {
    REQUIRE_FALSE(found);
    INFO(found.error().detail);
    CHECK(found.error().code == errc::corrupt);
    CHECK(found.error().detail.find("log record 1/") == 0);
  }
  s.open();  // what was readable stays so
  CHECK(s.store.rows->view()->get(devices::resource, 65).has_value());
}

TEST_CASE("a whole log is verified without changing anything") {
  memory_store s;
  fill(s);
  s.close();
  const auto report = storage::verify(s.options());
  REQUIRE(report);
  CHECK(report->commits == 3);
  CHECK(report->versions == 2);
}

TEST_CASE("a store opened with another schema derives its indices anew from the log") {
  memory_store s;
  fill(s);
  auto resources = test_resources();
  resources[1].fields[devices::status - 3].indexed = true;
  s.schema = std::make_shared<const domain::schema>(resources);
  s.open();
  const std::vector<messages::value> idle{"Idle"s};
  CHECK(
    s.store.rows->view()->all(devices::resource, devices::status, idle)
    == std::vector<std::int64_t>{65});
  CHECK(s.append(
    story(device(65)).expecting(2).change(devices::resource, 65, {{devices::status, "x"s}})));
  s.close();
  const auto report = storage::rebuild(s.options());
  REQUIRE(report);
  CHECK(report->identical);
  s.schema = test_schema();  // and back
  s.open();
  CHECK(s.store.rows->view()->get(devices::resource, 65).has_value());
}

TEST_CASE("unique values that wandered between partitions are rebuilt as they ended") {
  memory_store s;
  REQUIRE(s.append(story(fleet(65)).create(fleets::resource, 65, {{fleets::slug, "x"s}})));
  REQUIRE(s.append(story(fleet(65)).change(fleets::resource, 65, {{fleets::slug, "y"s}})));
  REQUIRE(s.append(story(fleet(64)).create(fleets::resource, 64, {{fleets::slug, "x"s}})));
  s.close();
  const auto report = storage::rebuild(s.options());
  REQUIRE(report);
  CHECK(report->identical);
}

TEST_CASE("commands are still known after a rebuild") {
  memory_store s;
  const story once = story(fleet(64)).command(7, 64).create(fleets::resource, 64);
  REQUIRE(s.append(once));
  s.close();
  REQUIRE(storage::rebuild(s.options()));
  s.open();
  CHECK(s.append(once)->repeated);
}
