#include "tests/support/memory_rows.hpp"

#include "tests/support/test_schema.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace std::string_literals;

namespace {

struct fixture {
  std::shared_ptr<const domain::schema> schema = tests::test_schema();
  tests::memory_rows rows{*schema};

  fixture() {
    rows.put("fleet", 64, {{"slug", "a/one"s}, {"name", "one"s}});
    rows.put("device", 129, {{"uuid", "bb"s}, {"belongs_to__fleet", std::int64_t{64}}});
    rows.put("device", 65, {{"uuid", "ba"s}, {"belongs_to__fleet", std::int64_t{64}}});
    rows.put("device", 193, {{"uuid", "c"s}});
  }

  std::vector<std::int64_t> prefixed(std::string_view prefix) const {
    std::vector<std::int64_t> ids;
    rows.lookup_prefix(
      tests::devices::resource,
      schema->at("device").index({"uuid"}),
      prefix,
      [&ids](std::int64_t id) {
        ids.push_back(id);
        return true;
      });
    return ids;
  }
};

}  // namespace

TEST_CASE("rows in memory are found by id, by index and by text prefix") {
  const fixture f;
  const auto by_fleet = f.schema->at("device").index({"belongs_to__fleet"});
  const std::vector<messages::value> fleet{std::int64_t{64}};
  const std::vector<messages::value> none{messages::null{}};
  CHECK(f.rows.get(tests::devices::resource, 129).has_value());
  CHECK_FALSE(f.rows.get(tests::devices::resource, 64).has_value());
  CHECK(
    f.rows.all(tests::devices::resource, by_fleet, fleet) == std::vector<std::int64_t>{65, 129});
  CHECK(f.rows.all(tests::devices::resource, by_fleet, none) == std::vector<std::int64_t>{193});
  CHECK(f.prefixed("b") == std::vector<std::int64_t>{65, 129});
  CHECK(f.prefixed("ba") == std::vector<std::int64_t>{65});
}

TEST_CASE("rows in memory are scanned in id order until the visitor has enough") {
  const fixture f;
  std::vector<std::int64_t> ids;
  f.rows.scan(tests::devices::resource, 66, [&ids](const messages::row& row) {
    ids.push_back(messages::id_of(row));
    return false;
  });
  CHECK(ids == std::vector<std::int64_t>{129});
}

TEST_CASE("a removed row in memory is gone from its indices") {
  fixture f;
  f.rows.remove(tests::devices::resource, 65);
  CHECK(f.prefixed("b") == std::vector<std::int64_t>{129});
}
