#include "messages/codec.hpp"
#include "runtime/crypto.hpp"
#include "storage/database.hpp"
#include "storage/keys.hpp"
#include "storage/record.hpp"
#include "storage/wire.hpp"
#include "tests/storage/random_workload.hpp"
#include "tests/storage/store_fixture.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

// What is on disk, as bytes. tests/golden/ and the examples in docs/formats/ are what older versions wrote: a test that fails
// here means that they could not be read any more.

using namespace slipway;
using namespace slipway::tests;
using namespace std::string_literals;
using runtime::hex;

namespace {

const std::filesystem::path source = SLIPWAY_SOURCE_DIR;

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string golden(const std::string& name) {
  auto text = content(source / "tests/golden" / name);
  while (!text.empty() && text.back() == '\n') {
    text.pop_back();
  }
  return text;
}

std::string bytes_of(std::string_view hex_text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex_text.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex_text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

bool page_shows(const std::string& page, const std::string& hex_text) {
  return content(source / "docs/formats" / page).find(hex_text) != std::string::npos;
}

messages::log_record example_record() {
  messages::log_record r;
  r.position = {1, 2};
  r.version = 3;
  messages::commit c = story(device(65));
  c.expected_version = 2;
  c.command.fill(0xab);
  c.answer = 65;
  c.events = {
    {messages::event_type::row_changed,
     devices::resource,
     65,
     {{devices::status, "Idle"s}, {devices::online, true}, {devices::progress, messages::null{}}}}};
  r.commit = c;
  return r;
}

messages::row example_row() {
  return {
    std::int64_t{65},
    std::int64_t{1'795'428'832'331},
    std::int64_t{1'795'428'832'331},
    "ab"s,
    messages::null{},
    2.0,
    messages::json_text{"{}"},
    true,
    messages::null{}};
}

}  // namespace

TEST_CASE("a log record is written and read as the golden one") {
  const auto expected = example_record();
  std::string written;
  storage::encode_record(written, expected.position, expected.version, expected.commit);
  CHECK(hex(written) == golden("log_record_1.hex"));
  messages::log_record read;
  REQUIRE(storage::decode_record(bytes_of(golden("log_record_1.hex")), read));
  CHECK(read.position == expected.position);
  CHECK(read.version == expected.version);
  CHECK(read.commit == expected.commit);
  CHECK(page_shows("log.md", golden("log_record_1.hex")));
}

TEST_CASE("a row is written and read as the golden one, without its trailing nulls") {
  std::string written;
  storage::encode_row(written, example_row());
  CHECK(hex(written) == golden("row_1.hex"));
  const auto read = storage::decode_row(bytes_of(golden("row_1.hex")));
  REQUIRE(read);
  auto expected = example_row();
  expected.pop_back();
  CHECK(*read == expected);
  CHECK(page_shows("rows.md", golden("row_1.hex")));
}

TEST_CASE("keys are the bytes that the pages about formats show") {
  std::string key;
  SECTION("log") {
    storage::keys::append_log(key, 1, 2);
    CHECK(hex(key) == "010000000000000002");
    CHECK(page_shows("log.md", hex(key)));
  }
  SECTION("heads and snapshots") {
    storage::keys::append_entity(key, device(65));
    CHECK(hex(key) == "050000000000000041");
    CHECK(storage::keys::read_entity(key) == device(65));
    CHECK(page_shows("log.md", hex(key)));
    CHECK(page_shows("snapshots.md", hex(key)));
  }
  SECTION("rows") {
    storage::keys::append_row(key, devices::resource, 65);
    CHECK(hex(key) == "00020000000000000041");
    CHECK(page_shows("rows.md", hex(key)));
  }
  SECTION("a unique index") {
    storage::keys::append_index(key, devices::resource, devices::uuid);
    storage::keys::append_value(key, "ab"s);
    CHECK(hex(key) == "000200030661620001");
    CHECK(page_shows("rows.md", hex(key)));
  }
  SECTION("an index of a reference") {
    storage::keys::append_index(key, devices::resource, devices::fleet);
    storage::keys::append_value(key, std::int64_t{64});
    storage::keys::append_u64(key, 65);
    CHECK(hex(key) == "000200040480000000000000400000000000000041");
    CHECK(page_shows("rows.md", hex(key)));
  }
}

TEST_CASE("what is stored is found under the documented keys") {
  memory_store s;
  REQUIRE(s.append(
    story(device(65)).command(0xcd, 65).create(devices::resource, 65, {{devices::uuid, "ab"s}})));
  REQUIRE(s.store.snapshots->put(device(65), "state"));
  CHECK(s.store.log->next_id(1) == 129);
  s.close();
  const auto d = storage::database::open("/store", s.env.get());
  REQUIRE(d);
  const auto value = [&](rocksdb::ColumnFamilyHandle* family, const std::string& key_hex) {
    std::string found;
    REQUIRE((*d)->db().Get({}, family, bytes_of(key_hex), &found).ok());
    return hex(found);
  };
  CHECK(value((*d)->model().heads, "050000000000000041") == "0000000000000001");
  CHECK(value((*d)->model().index, "000200030661620001") == "0000000000000041");
  CHECK(value((*d)->snapshots(), "050000000000000041") == "01" + hex("state"));
  CHECK(value((*d)->meta(), hex("i\x01")) == "0000000000000002");
  const auto command = value((*d)->commands(), hex(std::string(16, '\xcd')));
  CHECK(command == golden("command_1.hex"));
  CHECK(page_shows("log.md", command));
  CHECK(page_shows("snapshots.md", "01" + hex("state")));
}

TEST_CASE("values in an index order as they do in memory") {
  const std::vector<messages::value> ordered{
    messages::null{},
    false,
    true,
    std::int64_t{INT64_MIN},
    std::int64_t{-1},
    std::int64_t{0},
    std::int64_t{1},
    std::int64_t{INT64_MAX},
    -1e300,
    -1.5,
    0.0,
    1e-300,
    1e300,
    ""s,
    "\0"s,
    "\0\0"s,
    "\0a"s,
    "\x01"s,
    "a"s,
    "a\0"s,
    "a\xff"s,
    "b"s,
    std::string(256, 'x'),
    std::string(257, 'x'),
    messages::json_text{"a"}};
  for (std::size_t i = 0; i + 1 < ordered.size(); ++i) {
    std::string a;
    std::string b;
    std::string packed;
    storage::keys::append_value(a, ordered[i]);
    storage::keys::append_value(b, ordered[i + 1]);
    INFO(hex(a) << " before " << hex(b));
    CHECK(a < b);
    REQUIRE(storage::keys::append_element(packed, messages::pack(ordered[i])));
    CHECK(packed == a);
  }
  std::string minus;
  std::string plus;
  storage::keys::append_value(minus, -0.0);
  storage::keys::append_value(plus, 0.0);
  CHECK(minus == plus);
}

TEST_CASE("no cut or flipped record or row crashes, and what a newer version wrote is told apart") {
  const auto record = bytes_of(golden("log_record_1.hex"));
  const auto row = bytes_of(golden("row_1.hex"));
  messages::log_record r;
  for (std::size_t n = 0; n < record.size(); ++n) {
    CHECK_FALSE(storage::decode_record(record.substr(0, n), r));
  }
  for (std::size_t n = 0; n < row.size(); ++n) {
    CHECK_FALSE(storage::decode_row(row.substr(0, n)));
  }
  for (std::size_t n = 0; n < record.size(); ++n) {
    for (const int bit : {1, 16, 128}) {
      auto flipped = record;
      flipped[n] = static_cast<char>(flipped[n] ^ bit);
      (void)storage::decode_record(flipped, r);  // either answer is right, a crash is not
    }
  }
  auto newer = record;
  newer[0] = 2;
  const auto refused = storage::decode_record(newer, r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == messages::errc::unsupported);
  CHECK_FALSE(storage::decode_record(record + "x", r));
}

TEST_CASE("the direct reader agrees with the library about random commits") {
  random_workload workload(7);
  for (int i = 0; i < 500; ++i) {
    const auto c = workload.commit();
    const auto bytes = messages::pack(c);
    storage::wire_reader in(bytes);
    messages::commit read = workload.commit();  // to be overwritten
    REQUIRE(in.read(read));
    CHECK(in.at_end());
    CHECK(read == c);
    CHECK(messages::unpack<messages::commit>(bytes) == c);
    storage::wire_reader over(bytes);
    REQUIRE(over.skip());
    CHECK(over.at_end());
  }
}

TEST_CASE("a declared length that the input cannot hold allocates nothing") {
  messages::log_record r;
  for (const auto* hostile :
       {"\x01\xdd\xff\xff\xff\xff",
        "\x01\x93\x92\x01\x02\x03\x97\x92\x05\x41\xdd\xff\xff\xff\xff"}) {
    CHECK_FALSE(storage::decode_record(hostile, r));
  }
  storage::wire_reader nested(std::string_view("\xdf\xff\xff\xff\xff", 5));
  CHECK_FALSE(nested.skip());
}
