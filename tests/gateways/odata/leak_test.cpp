#include "tests/gateways/odata/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace slipway;
using nlohmann::json;
using tests::odata::world;
namespace ids = tests::odata::ids;
using list = std::vector<std::int64_t>;

namespace {

/// Ties alice's rows to bob's as hostile or careless writes might: her device and her fleet point at rows of his.
void tie_tenants(world& w) {
  w.rows.put(
    "device",
    ids::device_b,
    {{"uuid", std::string("aaaa2222")},
     {"belongs_to__application", ids::fleet},
     {"is_of__device_type", ids::raspberry},
     {"is_pinned_on__release", std::int64_t{90}}});
  w.rows.put(
    "release",
    90,
    {{"belongs_to__application", ids::hidden_fleet},
     {"commit", std::string("hidden")},
     {"status", std::string("success")}});
}

}  // namespace

TEST_CASE("rows of another tenant are in no answer") {
  world w;
  tie_tenants(w);
  CHECK(w.ids_of("application") == list{7});
  CHECK(w.ids_of("application(71)").empty());
  CHECK(w.ids_of("application(slug='other/secret')").empty());
  CHECK(w.ids_of("device?$filter=uuid eq 'dddd4444'").empty());
  CHECK(w.ids_of("device?$filter=id in (15,18)") == list{15});
  CHECK(w.ids_of("device?$filter=startswith(uuid,'d')").empty());
  CHECK(w.ids_of("organization") == list{3});
  CHECK(w.ids_of("user") == list{1});
  CHECK(w.ids_of("application_tag") == list{31});
  CHECK(w.get("application/$count") == json{{"d", 1}});
  CHECK(w.get("device/$count?$filter=1 eq 1") == json{{"d", 3}});
  CHECK(w.ids_of("device?$orderby=id desc&$top=1") == list{17});
  CHECK(w.get_as(w.bob, "device?$select=id") == json::parse(R"({"d":[{"id":18}]})"));
  w.hints = false;
  CHECK(w.ids_of("device") == list{15, 16, 17});
  CHECK(w.ids_of("device?$skip=2") == list{17});
}

TEST_CASE("a guest sees nothing of any tenant") {
  world w;
  const messages::requester guest;
  for (const auto* target :
       {"application", "device", "release", "organization", "user", "api_key", "device_tag"}) {
    INFO(target);
    CHECK(w.get_as(guest, target) == json::parse(R"({"d":[]})"));
  }
  CHECK(w.get_as(guest, "device_type?$select=id").at("d").size() == 2);
}

TEST_CASE("an expansion does not reach another tenant's rows") {
  world w;
  tie_tenants(w);
  CHECK(
    w.get("device(16)?$select=is_pinned_on__release&$expand=is_pinned_on__release")
    == json::parse(R"({"d":[{"is_pinned_on__release":[]}]})"));
  CHECK(
    w.get("device_type(6)?$select=id&$expand=describes__device($select=id),"
          "is_default_for__application($select=id)")
    == json::parse(R"({"d":[{"id":6,"describes__device":[{"id":15},{"id":16},{"id":17}],
                      "is_default_for__application":[{"id":7}]}]})"));
  CHECK(
    w.get("device_type(6)?$select=id&$expand=describes__device/$count,"
          "is_default_for__application/$count")
    == json::parse(R"({"d":[{"id":6,"describes__device":3,"is_default_for__application":1}]})"));
}

TEST_CASE("no condition tells of another tenant's rows") {
  world w;
  tie_tenants(w);
  for (const bool hints : {true, false}) {
    w.hints = hints;
    for (const auto* target :
         {"device_type?$filter=describes__device/any(d:d/uuid eq 'dddd4444')",
          "device_type?$filter=describes__device/any(d:startswith(d/uuid,'dddd'))",
          "device_type?$filter=describes__device/any(d:d/id eq 18)",
          "device_type?$filter=describes__device/any(d:d/device_name eq 'hidden')",
          "device_type?$filter=describes__device/$count gt 3",
          "device_type?$filter=describes__device/$count($filter=device_name eq 'hidden') gt 0",
          "device_type?$filter=is_default_for__application/any(a:a/slug eq 'other/secret')",
          "device_type?$filter=is_default_for__application/any(a:a/is_host eq true)",
          "device_type?$filter=is_default_for__application/any(a:a/application_tag/any("
          "t:t/value eq 'hidden'))",
          "device?$filter=is_pinned_on__release/any(r:r/commit eq 'hidden')",
          "device?$filter=is_pinned_on__release/any(r:1 eq 1)",
          "device?$filter=is_pinned_on__release/any()",
          "device?$filter=is_pinned_on__release/commit eq 'hidden'",
          "device?$filter=is_pinned_on__release/commit ne null",
          "device?$filter=startswith(is_pinned_on__release/commit,'h')",
          "device?$filter=is_pinned_on__release/belongs_to__application/slug eq 'other/secret'",
          "device?$filter=is_pinned_on__release/belongs_to__application eq 71",
          "device?$filter=not(is_pinned_on__release/all(r:r/commit ne 'hidden'))",
          "application?$filter=is_directly_accessible_by__user/any(u:u/username eq 'bob')"}) {
      INFO(target);
      CHECK(w.get(target) == json::parse(R"({"d":[]})"));
    }
  }
}

TEST_CASE("no order tells of another tenant's rows") {
  world w;
  tie_tenants(w);
  // Were the hidden release's commit or count compared, 16 would stand apart from its neighbours.
  CHECK(w.ids_of("device?$orderby=is_pinned_on__release/commit asc,id asc") == list{15, 16, 17});
  CHECK(w.ids_of("device?$orderby=is_pinned_on__release/commit desc,id asc") == list{15, 16, 17});
  w.rows.put(
    "device",
    50,
    {{"is_of__device_type", ids::nuc}, {"belongs_to__application", ids::hidden_fleet}});
  w.rows.put(
    "device",
    51,
    {{"is_of__device_type", ids::nuc}, {"belongs_to__application", ids::hidden_fleet}});
  CHECK(
    w.ids_of("device_type?$filter=slug eq 'intel-nuc' or describes__device/$count gt 5")
    == list{70});
  for (std::int64_t i = 60; i < 70; ++i) {
    w.rows.put(
      "device",
      i,
      {{"is_of__device_type", ids::nuc}, {"belongs_to__application", ids::hidden_fleet}});
  }
  CHECK(w.ids_of("device_type?$orderby=describes__device/$count desc") == list{6, 70});
}
