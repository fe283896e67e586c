#include "domain/draft.hpp"

#include "tests/support/memory_rows.hpp"
#include "tests/support/test_schema.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace std::string_literals;
using messages::event_type;
using messages::null;
using messages::value;

namespace {

constexpr std::int64_t now = 1'700'000'000'000;

struct fixture {
  std::shared_ptr<const domain::schema> schema = tests::test_schema();
  tests::memory_rows below{*schema};
  domain::draft d{*schema, below, now};
  const domain::resource_def& device = schema->at("device");
  std::uint16_t r = device.number, uuid = device.field("uuid"),
                fleet = device.field("belongs_to__fleet");

  fixture() {
    below.put("fleet", 64, {{"slug", "a/one"s}, {"name", "one"s}});
    below.put("device", 65, {{"uuid", "ba"s}, {"belongs_to__fleet", std::int64_t{64}}});
    below.put("device", 129, {{"uuid", "bb"s}, {"belongs_to__fleet", std::int64_t{64}}});
    below.put("device", 193, {{"uuid", "c"s}});
  }
  [[nodiscard]] std::vector<std::int64_t> of_fleet(std::int64_t id) const {
    const std::vector<value> key{id};
    auto found = d.all(r, device.index({"belongs_to__fleet"}), key);
    std::sort(found.begin(), found.end());
    return found;
  }
  [[nodiscard]] std::vector<std::int64_t> scanned(std::int64_t from) const {
    std::vector<std::int64_t> ids;
    d.scan(r, from, [&](const messages::row& row) {
      ids.push_back(messages::id_of(row));
      return true;
    });
    std::sort(ids.begin(), ids.end());
    return ids;
  }
};

using ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a draft without changes reads what is below it") {
  const fixture f;
  CHECK(f.d.get(f.r, 65).has_value());
  CHECK(f.of_fleet(64) == ids{65, 129});
  CHECK(f.scanned(66) == ids{129, 193});
  CHECK(f.d.events().empty());
}

TEST_CASE("a created row is read with the time of the command and found by its indices") {
  fixture f;
  f.d.create(f.r, 257, {{f.uuid, "bc"}, {f.fleet, std::int64_t{64}}});
  const auto row = f.d.get(f.r, 257);
  REQUIRE(row);
  CHECK((*row)[1] == value{now});
  CHECK((*row)[2] == value{now});
  CHECK(f.of_fleet(64) == ids{65, 129, 257});
  CHECK(f.scanned(0) == ids{65, 129, 193, 257});
  REQUIRE(f.d.events().size() == 1);
  CHECK(f.d.events()[0].type == event_type::row_created);
}

TEST_CASE("an event of a creation leaves null fields out") {
  fixture f;
  f.d.create(f.r, 257, {{f.uuid, "bc"}, {f.fleet, null{}}});
  CHECK(f.d.events()[0].values.size() == 1);
}

TEST_CASE("a changed row leaves its old index entry and is found by the new one") {
  fixture f;
  f.d.change(f.r, 65, {{f.fleet, null{}}});
  f.d.change(f.r, 193, {{f.fleet, std::int64_t{64}}});
  CHECK(f.of_fleet(64) == ids{129, 193});
  CHECK((*f.d.get(f.r, 65))[2] == value{now});
}

TEST_CASE("a change to what is there already makes no event") {
  fixture f;
  f.d.change(f.r, 65, {{f.uuid, "ba"}});
  CHECK(f.d.events().empty());
  f.d.change(f.r, 65, {{f.uuid, "ba"}, {f.fleet, null{}}});
  REQUIRE(f.d.events().size() == 1);
  CHECK(f.d.events()[0].values.size() == 1);
}

TEST_CASE(
  "a removed row is gone from gets, lookups and scans, and removing it again makes no event") {
  fixture f;
  f.d.remove(f.r, 65);
  f.d.remove(f.r, 65);
  f.d.change(f.r, 65, {{f.uuid, "zz"}});
  CHECK_FALSE(f.d.get(f.r, 65).has_value());
  CHECK(f.of_fleet(64) == ids{129});
  CHECK(f.scanned(0) == ids{129, 193});
  CHECK(f.d.events().size() == 1);
}

TEST_CASE("a row that is created and removed in one draft leaves both events and no row") {
  fixture f;
  f.d.create(f.r, 257, {{f.uuid, "bc"}, {f.fleet, std::int64_t{64}}});
  f.d.remove(f.r, 257);
  CHECK(f.of_fleet(64) == ids{65, 129});
  CHECK(f.d.events().size() == 2);
}

TEST_CASE("text prefixes are found among changed rows as they are now") {
  fixture f;
  f.d.change(f.r, 65, {{f.uuid, "x"}});
  f.d.change(f.r, 193, {{f.uuid, "bz"}});
  ids found;
  f.d.lookup_prefix(f.r, f.device.index({"uuid"}), "b", [&](std::int64_t id) {
    found.push_back(id);
    return true;
  });
  std::sort(found.begin(), found.end());
  CHECK(found == ids{129, 193});
}

TEST_CASE("a visitor that has enough is not called again") {
  fixture f;
  f.d.create(f.r, 257, {{f.uuid, "bc"}, {f.fleet, std::int64_t{64}}});
  int calls = 0;
  const std::vector<value> key{std::int64_t{64}};
  f.d.lookup(f.r, f.device.index({"belongs_to__fleet"}), key, [&](std::int64_t) {
    ++calls;
    return false;
  });
  CHECK(calls == 1);
  f.d.scan(f.r, 0, [&](const messages::row&) {
    ++calls;
    return false;
  });
  CHECK(calls == 2);
}
