#include "tests/gateways/odata/catalogue.hpp"
#include "tests/gateways/odata/fixture.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace slipway;
using nlohmann::json;
using tests::odata::world;
namespace ids = tests::odata::ids;
using namespace std::string_literals;
using list = std::vector<std::int64_t>;

namespace {

json parsed(const char* text) {
  return json::parse(text);
}

}  // namespace

TEST_CASE("every request of the catalogue that reads is answered") {
  world w;
  for (const auto target : tests::odata::catalogue) {
    INFO(target);
    const auto body = w.get(target);
    const bool action = target.find("canAccess") != std::string_view::npos;
    CHECK(body.contains(action ? "error" : "d"));
  }
}

TEST_CASE("a selection shows what was asked for and nothing else") {
  world w;
  CHECK(
    w.get("device(15)?$select=id,id,uuid,belongs_to__application,created_at,is_online,note")
    == parsed(R"({"d":[{"id":15,"uuid":"aaaa1111","belongs_to__application":{"__id":7},
                 "created_at":"2023-11-14T22:13:20.015Z","is_online":true,"note":null}]})"));
}

TEST_CASE("without a selection all fields are shown but hidden ones and navigations") {
  world w;
  const auto device = w.get("device(15)").at("d").at(0);
  CHECK(device.contains("overall_status"));
  CHECK(device.at("is_of__device_type") == parsed(R"({"__id":6})"));
  CHECK(device.at("should_be_running__release") == parsed(R"({"__id":81})"));
  CHECK(device.at("is_running__release").is_null());
  CHECK_FALSE(device.contains("presence_edge"));
  CHECK_FALSE(device.contains("device_tag"));
  CHECK_FALSE(w.get("user(1)").at("d").at(0).contains("password"));
  CHECK(w.get("device(15)?$select=*") == w.get("device(15)"));
}

TEST_CASE("a field that is not listed is shown where it is selected, and filters") {
  world w;
  w.rows.put("service_install", 14, {{"device", ids::device_a}, {"installs__service", ids::main}});
  w.rows.put(
    "device_service_environment_variable",
    17,
    {{"service_install", 14L}, {"name", "K"s}, {"value", "v"s}});
  const std::string all = "device_service_environment_variable";
  const auto row = w.get(all).at("d").at(0);
  CHECK(row.at("service_install") == parsed(R"({"__id":14})"));
  CHECK_FALSE(row.contains("device"));
  CHECK_FALSE(row.contains("service"));
  CHECK(
    w.get(all + "?$select=device,service&$filter=device eq 15")
    == parsed(R"({"d":[{"device":{"__id":15},"service":{"__id":9}}]})"));
  const auto& resource = domain::resource_model()->at(all);
  const auto made = w.rows.get(resource.number, 17);
  const auto text = gateways::odata::row_json(resource, *made, w.rows);
  CHECK(json::parse(text) == row);
}

TEST_CASE("each type is written as clients expect it") {
  world w;
  CHECK(
    w.get("image(10)?$select=image_size,contract")
    == parsed(R"({"d":[{"image_size":"12345678901","contract":null}]})"));
  CHECK(
    w.get("image(10)?$select=image_size", "v6") == parsed(R"({"d":[{"image_size":12345678901}]})"));
  CHECK(w.get("device(15)?$select=actor") == parsed(R"({"d":[{"actor":{"__id":215}}]})"));
  CHECK(w.get("device(15)?$select=actor", "v6") == parsed(R"({"d":[{"actor":215}]})"));
  CHECK(
    w.get("release(8)?$select=composition,raw_version,is_final,version")
    == parsed(R"({"d":[{"composition":{"services":{}},"raw_version":"1.0.0","is_final":true,
                 "version":{"raw":"1.0.0","major":1,"minor":0,"patch":0,"prerelease":[],"build":[],
                 "version":"1.0.0"}}]})"));
  CHECK(
    w.get("application_tag(31)?$select=value").at("d").at(0).at("value")
    == "o'b \"q\" \n \xc3\xbc");
}

TEST_CASE("a forward navigation expands to an array of at most one, a backward one to all") {
  world w;
  CHECK(
    w.get("device(15)?$select=id&$expand=belongs_to__application($select=slug),"
          "is_pinned_on__release,should_be_running__release($select=commit),"
          "device_tag($select=tag_key;$orderby=tag_key desc)")
    == parsed(R"({"d":[{"id":15,"belongs_to__application":[{"slug":"acme/f"}],
                 "is_pinned_on__release":[],"should_be_running__release":[{"commit":"c2"}],
                 "device_tag":[{"tag_key":"row"},{"tag_key":"rack"}]}]})"));
}

TEST_CASE("expansion wins over selection, and both take the name the client wrote") {
  world w;
  CHECK(
    w.get("release_image(11)?$select=image,release&$expand=image($select=id)")
    == parsed(R"({"d":[{"release":{"__id":8},"image":[{"id":10}]}]})"));
  CHECK(
    w.get("image__is_part_of__release(11)?$select=contains__image")
    == parsed(R"({"d":[{"contains__image":{"__id":10}}]})"));
}

TEST_CASE("expansions nest four deep and take all options") {
  world w;
  CHECK(
    w.get(
      "application(7)?$select=id&$expand=owns__device($select=id;$orderby=id desc;$top=2;$skip=1;"
      "$filter=is_online eq true or id eq 16;$expand=image_install($select=status;"
      "$expand=installs__image($select=id;$expand=is_a_build_of__service("
      "$select=service_name))))")
    == parsed(R"({"d":[{"id":7,"owns__device":[{"id":16,"image_install":[]},
                 {"id":15,"image_install":[{"status":"Running","installs__image":[
                   {"id":10,"is_a_build_of__service":[{"service_name":"main"}]}]}]}]}]})"));
}

TEST_CASE("counts are integers, as the whole answer and in the place of an expansion") {
  world w;
  CHECK(w.get("device/$count") == parsed(R"({"d":3})"));
  CHECK(w.get("device/$count?$filter=is_online eq true&$top=1") == parsed(R"({"d":2})"));
  CHECK(
    w.get("application?$select=id&$expand=owns__device/$count($filter=is_online eq true)")
    == parsed(R"({"d":[{"id":7,"owns__device":2}]})"));
  CHECK(w.ids_of("application?$filter=owns__device/$count gt 2") == list{7});
  CHECK(w.ids_of("application?$filter=owns__device/$count gt 3").empty());
  CHECK(
    w.ids_of("application?$filter=owns__device/$count($filter=startswith(uuid,'aaaa')) eq 2")
    == list{7});
}

TEST_CASE("a key that finds nothing answers an empty list") {
  world w;
  CHECK(w.get("device(99)") == parsed(R"({"d":[]})"));
  CHECK(w.get("device(uuid='nope')") == parsed(R"({"d":[]})"));
  CHECK(w.get("device(15)?$filter=is_online eq false") == parsed(R"({"d":[]})"));
  CHECK(w.ids_of("device(uuid='aaaa1111')") == list{15});
  CHECK(w.ids_of("service(service_name='main',application=7)") == list{9});
  CHECK(w.ids_of("service(service_name='main',application=8)").empty());
}

TEST_CASE("filters select as the reference does") {
  world w;
  const std::vector<std::pair<const char*, list>> cases{
    {"uuid eq 'aaaa1111'", {15}},
    {"uuid ne 'aaaa1111'", {16, 17}},
    {"device_name eq null", {17}},
    {"device_name ne null", {15, 16}},
    {"null eq device_name", {17}},
    {"device_name ne 'alpha'", {16, 17}},  // null differs from every text
    {"memory_usage gt 160", {17}},
    {"memory_usage ge 150", {15, 17}},
    {"150 lt memory_usage", {17}},
    {"not(memory_usage gt 160)", {15}},  // null is neither more nor less
    {"memory_usage le 150.5", {15}},
    {"is_online", {15, 17}},
    {"not is_online", {16}},
    {"not(is_online eq true)", {16}},
    {"is_online eq true and uuid ne 'cccc3333'", {15}},
    {"id eq 15 or id eq 16 and is_online eq false", {16}},  // from left to right
    {"id eq 15 or (id eq 16 and is_online eq false)", {15, 16}},
    {"id in (15,17,99)", {15, 17}},
    {"uuid in ('aaaa2222','x')", {16}},
    {"device_name in ('alpha',null)", {15, 17}},
    {"not(device_name in ('alpha'))", {16, 17}},
    {"belongs_to__application eq 7", {15, 16, 17}},
    {"belongs_to__application eq 8", {}},
    {"is_running__release eq null", {15, 16, 17}},
    {"startswith(uuid,'aaaa')", {15, 16}},
    // What a count or a bare any() looked at is not the row that the rest is about.
    {"belongs_to__application/$count ge 1 and startswith(uuid,'aaaa')", {15, 16}},
    {"belongs_to__application/any() and startswith(uuid,'aaaa')", {15, 16}},
    {"startswith(device_name,'')", {15, 16}},
    {"endswith(uuid,'22')", {16}},
    {"contains(uuid,'a1')", {15}},
    {"substringof('a1',uuid)", {15}},
    {"not contains(device_name,'x')", {15, 16}},
    {"tolower(device_name) eq 'beta'", {16}},
    {"toupper(device_name) eq 'BETA'", {16}},
    {"length(device_name) eq 5", {15}},
    {"indexof(device_name,'ph') eq 2", {15}},
    {"indexof(device_name,'zz') eq -1", {15, 16}},
    {"substring(device_name,1) eq 'eta'", {16}},
    {"substring(device_name,1,2) eq 'et'", {16}},
    {"concat(device_name,uuid) eq 'Betaaaaa2222'", {16}},
    {"replace(device_name,'a','b') eq 'blphb'", {15}},
    {"trim(concat(' ',device_name)) eq 'Beta'", {16}},
    {"memory_usage add 20 eq 170", {15}},
    {"memory_usage sub 20 mul 2 eq 110", {15}},
    {"(memory_usage div 10) mod 2 eq 1", {15, 17}},
    {"memory_usage div 0 eq 1", {}},
    {"1 eq 1", {15, 16, 17}},
    {"1 eq 2", {}},
    {"true", {15, 16, 17}},
    {"created_at ge datetime'2023-11-14T22:13:20.016Z'", {16, 17}},
    {"created_at lt '2023-11-14T22:13:20.016Z'", {15}},
    {"belongs_to__application/any(a:a/slug eq 'acme/f')", {15, 16, 17}},
    {"belongs_to__application/slug eq 'acme/f' and id gt 16", {17}},
    {"belongs_to__application/is_for__device_type/slug eq 'intel-nuc'", {}},
    {"is_pinned_on__release/commit eq null", {15, 16, 17}},
    {"is_pinned_on__release/any()", {}},
    {"should_be_running__release/any(r:r/commit eq 'c2')", {15, 16, 17}},
    {"device_tag/any(t:t/tag_key eq 'rack' and t/value eq '1')", {15}},
    {"device_tag/any(t:t/tag_key eq 'rack' and t/value eq '2')", {}},
    {"device_tag/any()", {15}},
    {"not(device_tag/any(t:1 eq 1))", {16, 17}},
    {"device_tag/all(t:t/value eq '1')", {16, 17}},
    {"device_tag/all(t:t/value ne '3')", {15, 16, 17}},
    {"device_tag/any(t:$it/uuid eq 'aaaa1111' and t/value eq '2')", {15}},
    {"device_tag/any(t:uuid eq 'aaaa1111')", {15}},  // without a prefix: the row itself
    {"image_install/any(i:i/installs__image/any(m:m/is_a_build_of__service/any(s:s/service_name eq "
     "'main')))",
     {15}},
    {"device_tag/any(t:t/device/device_tag/any(u:u/value eq '2' and t/value eq '1'))", {15}},
    {"overall_status eq 'nothing'", {}},
  };
  for (const auto& [filter, expected] : cases) {
    INFO(filter);
    const auto body = w.get(std::string("device?$select=id&$filter=") + filter);
    INFO(body.dump());
    CHECK(w.ids_of(std::string("device?$select=id&$filter=") + filter) == expected);
  }
}

TEST_CASE("computed fields can be filtered and sorted by") {
  world w;
  CHECK(w.ids_of("release?$filter=is_final eq true&$orderby=id asc") == list{8, 81});
  CHECK(w.ids_of("release?$filter=raw_version eq '1.0.0+rev1'") == list{81});
  CHECK(
    w.ids_of("device?$filter=should_be_running__release eq 81&$orderby=id asc")
    == list{15, 16, 17});
}

TEST_CASE("direct access holds for what the requester sees") {
  world w;
  CHECK(w.ids_of("application?$filter=is_directly_accessible_by__user/any(dau:1 eq 1)") == list{7});
  CHECK(
    w.ids_of("application?$filter=is_directly_accessible_by__user/any(dau:1 eq 1) and "
             "(slug eq 'acme/f' or uuid eq 'acme/f')")
    == list{7});
}

TEST_CASE("results are sorted by several keys, null last when ascending") {
  world w;
  CHECK(w.ids_of("device?$orderby=device_name asc") == list{16, 15, 17});
  CHECK(w.ids_of("device?$orderby=device_name desc") == list{17, 15, 16});
  CHECK(w.ids_of("device?$orderby=device_name") == list{17, 15, 16});
  CHECK(w.ids_of("device?$orderby=is_online asc,id desc") == list{16, 17, 15});
  CHECK(w.ids_of("device?$orderby=device_tag/$count desc,id desc") == list{15, 17, 16});
  CHECK(w.ids_of("device?$orderby=belongs_to__application/slug asc,id asc") == list{15, 16, 17});
  CHECK(w.ids_of("device?$orderby=id desc&$top=2") == list{17, 16});
  CHECK(w.ids_of("device?$filter=id in (15,16,17)&$orderby=id desc&$top=2") == list{17, 16});
  CHECK(w.ids_of("release?$orderby=created_at desc&$top=1") == list{82});
}

TEST_CASE("paging cuts what is found") {
  world w;
  CHECK(w.ids_of("device?$top=2") == list{15, 16});
  CHECK(w.ids_of("device?$skip=1") == list{16, 17});
  CHECK(w.ids_of("device?$skip=1&$top=1") == list{16});
  CHECK(w.ids_of("device?$skip=9").empty());
  CHECK(w.ids_of("device?$top=0").empty());
  CHECK(w.ids_of("device?$top=9223372036854775807&$skip=9223372036854775807").empty());
  CHECK(w.ids_of("device?$orderby=device_name asc&$skip=1&$top=1") == list{15});
}

TEST_CASE("a text that the query would build without bound ends it") {
  world w;
  std::string grow = "device_name";
  for (int i = 0; i < 9; ++i) {
    grow = "replace(" + grow + ",'a','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')";
  }
  const auto body = w.get("device?$filter=" + grow + " eq 'x'");
  CHECK(body.at("error") == "the query builds a text of more than 4194304 bytes");
}

TEST_CASE("a query that looks at too many rows, runs too long or answers too much is refused") {
  world w;
  w.rows_examined_max = 2;
  CHECK(w.get("device").at("error") == "the query looks at more than 2 rows: narrow its filter");
  CHECK(w.get("device/$count").contains("error"));
  CHECK(w.get("device(15)?$select=id").contains("d"));
  w.rows_examined_max = 1'000'000;
  w.response_bytes_max = 100;
  CHECK(w.get("device").at("error").get<std::string>().starts_with(
    "the answer is longer than 100 bytes"));
  w.response_bytes_max = 1'000'000;
  for (std::int64_t i = 1000; i < 1400; ++i) {
    w.rows.put("cpu_architecture", i, {{"slug", std::to_string(i)}});
  }
  CHECK(w.get("cpu_architecture/$count") == parsed(R"({"d":402})"));
  w.expired = true;
  CHECK(
    w.get("cpu_architecture/$count").at("error") == "the query takes too long: narrow its filter");
}

TEST_CASE("large texts are bounded in what is kept, sorted and searched") {
  world w;
  const std::string megabyte(1'000'000, 'n');
  for (std::int64_t i = 1000; i < 1070; ++i) {
    w.rows.put("device_type", i, {{"slug", std::to_string(i)}, {"logo", megabyte}});
  }
  CHECK(
    w.get("device_type?$orderby=logo asc").at("error")
    == "the query sorts more than 67108864 bytes: narrow its filter");
  // More rows than are kept in hand: those that do not fit are read again.
  CHECK(w.get("device_type?$select=id&$orderby=slug asc").at("d").size() == 72);
  CHECK(w.stats.rows_examined > 100);
  CHECK(w.get("device_type/$count?$filter=contains(logo,'x')") == parsed(R"({"d":0})"));
  w.expired = true;
  CHECK(
    w.get("device_type/$count?$filter=contains(logo,'x')").at("error")
    == "the query takes too long: narrow its filter");
}

TEST_CASE("an index is used where one helps") {
  world w;
  w.hints = false;
  for (std::int64_t i = 1000; i < 1500; ++i) {
    w.rows.put(
      "device",
      i,
      {{"uuid", "u" + std::to_string(i)}, {"belongs_to__application", ids::hidden_fleet}});
  }
  for (const auto* filter :
       {"uuid eq 'aaaa1111'",
        "id eq 15",
        "id in (15,16)",
        "uuid in ('aaaa1111','aaaa2222')",
        "startswith(uuid,'aaaa')",
        "uuid eq 'aaaa1111' or uuid eq 'aaaa2222'",
        "is_online eq true and uuid eq 'aaaa1111'",
        "belongs_to__application eq 7",
        "belongs_to__application/any(a:a/slug eq 'acme/f')",
        "belongs_to__application/slug eq 'acme/f'",
        "device_tag/any(t:t/device eq 15)",
        "image_install/any(i:i/installs__image/any(m:m/is_a_build_of__service eq 9))",
        "1 eq 2"}) {
    INFO(filter);
    CHECK(w.get(std::string("device?$select=id&$filter=") + filter).contains("d"));
    CHECK(w.stats.rows_examined < 30);
  }
  CHECK(w.get("device(uuid='aaaa1111')").contains("d"));
  CHECK(w.stats.rows_examined < 5);
  CHECK(w.get("device?$filter=is_online eq true").contains("d"));
  CHECK(w.stats.rows_examined > 500);
}

TEST_CASE("what the requester could see bounds a query without an index") {
  world w;
  for (std::int64_t i = 1000; i < 1500; ++i) {
    w.rows.put(
      "device",
      i,
      {{"uuid", "u" + std::to_string(i)}, {"belongs_to__application", ids::hidden_fleet}});
  }
  CHECK(w.ids_of("device?$filter=is_online eq true") == list{15, 17});
  CHECK(w.stats.rows_examined < 10);
  CHECK(w.stats.rows_returned == 2);
}

TEST_CASE("reading stops at the last row that is wanted") {
  world w;
  for (std::int64_t i = 1000; i < 1500; ++i) {
    w.rows.put("cpu_architecture", i, {{"slug", std::to_string(i)}});
  }
  CHECK(w.get("cpu_architecture?$top=3&$skip=2").at("d").size() == 3);
  CHECK(w.stats.rows_examined < 12);
}

TEST_CASE("a created row is answered whole and without an envelope") {
  world w;
  const auto& model = *domain::resource_model();
  const auto& resource = model.at("device");
  const auto row = w.rows.get(resource.number, 15);
  const auto text = gateways::odata::row_json(resource, *row, w.rows);
  CHECK(json::parse(text) == w.get("device(15)").at("d").at(0));
}

TEST_CASE("a change selects by key, by filter or by both, and never a whole collection") {
  world w;
  const domain::access rights(*domain::resource_model(), w.alice, w.rows);
  const gateways::odata::access granted{w.alice, [&](const auto& resource, const auto& row) {
                                          return rights.may_see(resource, row);
                                        }};
  const auto select = [&](std::string_view target) {
    return gateways::odata::select_ids(*tests::odata::parse(target), w.rows, granted);
  };
  CHECK(select("device(15)") == list{15});
  CHECK(select("device?$filter=id in (16,15,18)") == list{15, 16});
  CHECK(select("device(15)?$filter=is_online eq false") == list{});
  CHECK(select("device_tag?$filter=device eq 15 and tag_key eq 'rack'") == list{41});
  CHECK(select("device?$filter=is_online eq true&$top=1") == list{15, 17});
  CHECK(
    select("device").error().detail == "a change of a whole collection needs a key or a $filter");
  CHECK_FALSE(select("device(15)/canAccess"));
  CHECK_FALSE(select("device/$count?$filter=id eq 15"));
}
