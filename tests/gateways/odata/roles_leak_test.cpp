#include "tests/gateways/odata/fixture.hpp"
#include "tests/support/tenants.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

using namespace slipway;
using nlohmann::json;
using tests::asker;
using tests::tenants;
namespace engine = gateways::odata;

namespace {

/// What one requester reads of everything there is, through the engine as the gateway calls it.
class reader {
public:
  reader(const tenants& t, const asker& a) : t_(t), a_(a), rights_(*t.i.model, a.by, t.i.rows) {
    for (const auto& r : t.i.model->resources()) {
      t.i.rows.scan(r.number, 0, [&](const messages::row& row) {
        (rights_.may_see(r, row) ? seen_ : hidden_)[r.number].insert(messages::id_of(row));
        return true;
      });
    }
  }

  [[nodiscard]] json get(const std::string& target) const {
    const auto line = tests::odata::parse(target);
    INFO(a_.who << ": " << target);
    REQUIRE(line.has_value());
    const engine::access granted{
      a_.by,
      [&](const auto& resource, const auto& row) { return rights_.may_see(resource, row); },
      [&](const auto& resource) { return rights_.candidates(resource); }};
    const auto body = engine::read(*line, t_.i.rows, granted);
    REQUIRE(body.has_value());
    return json::parse(*body).at("d");
  }

  [[nodiscard]] std::set<std::int64_t> ids(const std::string& target) const {
    std::set<std::int64_t> out;
    for (const auto& row : get(target)) {
      out.insert(row.at("id").get<std::int64_t>());
    }
    return out;
  }

  [[nodiscard]] const std::set<std::int64_t>& seen(std::uint16_t resource) const {
    return of(seen_, resource);
  }
  [[nodiscard]] const std::set<std::int64_t>& hidden(std::uint16_t resource) const {
    return of(hidden_, resource);
  }

private:
  using table = std::map<std::uint16_t, std::set<std::int64_t>>;
  static const std::set<std::int64_t>& of(const table& from, std::uint16_t resource) {
    static const std::set<std::int64_t> none;
    const auto it = from.find(resource);
    return it == from.end() ? none : it->second;
  }

  const tenants& t_;
  const asker& a_;
  domain::access rights_;
  table seen_, hidden_;
};

/// One way from a resource to another: only what may be seen is at its end, whatever is asked about it.
void check_way(
  const reader& r,
  const domain::resource_def& from,
  const domain::navigation_def& way) {
  const auto& name = way.names.front();
  std::map<std::int64_t, std::set<std::int64_t>> reached;
  std::set<std::int64_t> with_any;
  for (const auto& row : r.get(from.name + "?$select=id&$expand=" + name + "($select=id)")) {
    const auto id = row.at("id").get<std::int64_t>();
    for (const auto& other : row.at(name)) {
      CHECK(r.seen(way.resource).count(other.at("id").get<std::int64_t>()) == 1);
      reached[id].insert(other.at("id").get<std::int64_t>());
      with_any.insert(id);
    }
  }
  for (const auto& row : r.get(from.name + "?$select=id&$expand=" + name + "/$count")) {
    CHECK(row.at(name) == reached[row.at("id").get<std::int64_t>()].size());
  }
  CHECK(r.ids(from.name + "?$select=id&$filter=" + name + "/any(x:1 eq 1)") == with_any);
  CHECK(r.ids(from.name + "?$select=id&$filter=" + name + "/$count gt 0") == with_any);
  for (const auto id : r.hidden(way.resource)) {
    const auto number = std::to_string(id);
    CHECK(
      r.ids(from.name + "?$select=id&$filter=" + name + "/any(x:x/id eq " + number + ")").empty());
    if (way.forward && !way.relate) {
      CHECK(r.ids(from.name + "?$select=id&$filter=" + name + "/id eq " + number).empty());
    }
    break;
  }
}

}  // namespace

TEST_CASE("every way between resources ends at what the role sees, in every form of query") {
  tenants t;
  REQUIRE(t.i.change(
    tests::installation::platform(),
    "application",
    t.second_fleet,
    {{"is_public", true}}));
  for (const auto& a : tests::askers(t)) {
    const reader r(t, a);
    for (const auto& resource : t.i.model->resources()) {
      INFO(a.who << " and " << resource.name);
      CHECK(r.ids(resource.name + "?$select=id") == r.seen(resource.number));
      CHECK(r.get(resource.name + "/$count") == r.seen(resource.number).size());
      for (const auto id : r.hidden(resource.number)) {
        CHECK(r.get(resource.name + "(" + std::to_string(id) + ")?$select=id").empty());
        break;
      }
      if (r.seen(resource.number).empty()) {
        continue;
      }
      for (const auto& way : resource.navigations) {
        INFO(way.names.front());
        check_way(r, resource, way);
      }
    }
  }
}
