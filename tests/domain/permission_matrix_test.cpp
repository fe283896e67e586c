#include "domain/access.hpp"
#include "domain/access_table.hpp"
#include "tests/support/tenants.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace slipway;
using domain::action;
using domain::verb;
using domain::rights::group;
using domain::rights::standing;
using messages::entity_kind;
using messages::errc;
using messages::requester_kind;
using messages::role;
using tests::asker;
using tests::tenants;

namespace {

/// The table's line of a group, looked up as its readers do.
std::string cell(group g, standing s) {
  for (const auto& line : domain::rights::groups()) {
    if (line.of == g) {
      return std::string(line.verbs[static_cast<std::size_t>(s)]);
    }
  }
  return "";
}

std::optional<standing> standing_of(role r) {
  switch (r) {
    case role::administrator:
      return standing::administrator;
    case role::developer:
      return standing::developer;
    case role::operator_:
      return standing::operator_;
    case role::observer:
      return standing::observer;
    case role::member:
      return standing::member;
    case role::none:
      break;
  }
  return std::nullopt;
}

bool is_of_user(group g) {
  return g == group::users || g == group::sessions || g == group::ssh_keys || g == group::api_keys;
}

/// What somebody is to the sample row of a resource, as docs/permissions.md says it: written apart from the product's own derivation.
std::vector<standing> standings(const asker& a, group g, entity_kind root) {
  if (a.by.administrator) {
    return g == group::organizations ? std::vector{standing::platform, standing::own}
                                     : std::vector{standing::platform};
  }
  if (g == group::catalog) {
    return {standing::anybody};
  }
  std::vector<standing> out;
  const auto own = a.by.by_key ? standing::own_by_key : standing::own;
  switch (a.by.kind) {
    case requester_kind::user: {
      if (g == group::organizations) {
        out.push_back(own);
      }
      if (is_of_user(g)) {
        if (a.is_mia) {
          out.push_back(own);
        } else if (g == group::users && a.on_organization != role::none) {
          out.push_back(standing::fellow);
        }
        break;
      }
      const bool of_organization = root == entity_kind::organization || root == entity_kind::none;
      if (const auto s = standing_of(of_organization ? a.on_organization : a.on_fleet)) {
        out.push_back(*s);
      }
      break;
    }
    case requester_kind::device:
      if (a.who == "the device's key" && root == entity_kind::device) {
        out.push_back(standing::device);
      }
      if (a.who != "a key of another fleet's device" && root == entity_kind::fleet) {
        out.push_back(standing::fleet_device);
      }
      break;
    case requester_kind::fleet:
      if (
        a.who == "the fleet's provisioning key"
        && (root == entity_kind::device || root == entity_kind::fleet)) {
        out.push_back(standing::provisioning);
      }
      break;
    default:
      break;
  }
  return out;
}

std::string union_of(const std::vector<standing>& all, group g) {
  std::set<char> letters;
  for (const auto s : all) {
    for (const char c : cell(g, s)) {
      letters.insert(c);
    }
  }
  std::string out;
  for (const char c : {'c', 's', 'u', 'r'}) {
    out += letters.count(c) != 0 ? std::string(1, c) : "";
  }
  return out;
}

/// What the rules answer to a command, which changes nothing.
template <class Command>
messages::result<std::int64_t> decide(const tenants& t, messages::entity_ref to, const Command& c) {
  domain::draft d(*t.i.model, t.i.rows, t.i.now);
  std::int64_t next = 1'000'001;
  const domain::rule_context context{
    to,
    [&next] { return next += 64; },
    [](std::size_t digits) { return std::string(digits, 'e'); },
    "registry.test"};
  return domain::decide(d, context, c);
}

/// Permitted, as far as rights go: another rule may still have forbidden it. Who may not is told that what he named is not there.
bool permitted(const messages::result<std::int64_t>& done) {
  if (done) {
    return true;
  }
  const auto code = done.error().code;
  const bool hidden = done.error().detail.find("does not exist") != std::string::npos;
  return code != errc::unauthorized && code != errc::not_found && !hidden;
}

/// By commands as clients send them, not by asking for the right.
std::string tried(
  const tenants& t,
  const messages::requester& by,
  const domain::resource_def& resource,
  const messages::row& r) {
  const domain::access rights(*t.i.model, by, t.i.rows);
  const auto entity = domain::entity_of(*t.i.model, resource, r, t.i.rows);
  std::string out;
  if (resource.root != entity_kind::none) {
    messages::create_row create;
    create.by = by;
    create.resource = resource.number;
    for (const auto& f : resource.fields) {
      const auto& v = messages::field(r, f.number);
      if (f.number >= 3 && !f.compute && !f.read_only && !messages::is_null(v)) {
        create.values.push_back({f.number, v});
      }
    }
    out += permitted(decide(t, *entity, create)) ? "c" : "";
  }
  out += rights.may_see(resource, r) ? "s" : "";
  if (entity) {
    messages::change_row change;
    change.by = by;
    change.resource = resource.number;
    change.id = messages::id_of(r);
    out += permitted(decide(t, *entity, change)) ? "u" : "";
    messages::remove_row remove;
    remove.by = by;
    remove.resource = resource.number;
    remove.id = messages::id_of(r);
    out += permitted(decide(t, *entity, remove)) ? "r" : "";
  }
  return out;
}

}  // namespace

TEST_CASE("every resource has a group of rights, and a row in the matrix") {
  const tenants t;
  std::set<std::string> named;
  for (const auto& line : domain::rights::groups()) {
    std::string names(line.resources);
    for (auto at = names.find(' '); !names.empty(); at = names.find(' ')) {
      CHECK(named.insert(names.substr(0, at)).second);
      names = at == std::string::npos ? "" : names.substr(at + 1);
    }
  }
  // These have no rows that rules make.
  const std::set<std::string> without_rows{
    "actor",
    "builder",
    "device_history",
    "service_instance"};
  for (const auto& r : t.i.model->resources()) {
    INFO(r.name);
    CHECK(named.count(r.name) == 1);
    CHECK(t.sample.count(r.name) + without_rows.count(r.name) == 1);
  }
}

TEST_CASE("roles, resources and verbs: what is tried is permitted exactly as the table says") {
  const tenants t;
  std::size_t cells = 0;
  for (const auto& a : tests::askers(t)) {
    for (const auto& [name, id] : t.sample) {
      const auto& resource = t.i.model->at(name);
      const auto g = domain::rights::group_of(resource.number);
      auto expected = union_of(standings(a, g, resource.root), g);
      if (resource.root == entity_kind::none) {
        std::erase(expected, 'c');
      }
      if (!domain::entity_of(*t.i.model, resource, t.i.row(name, id), t.i.rows)) {
        std::erase_if(expected, [](char c) { return c == 'u' || c == 'r'; });
      }
      // Somebody else's membership: the sample is of one fleet role only.
      const bool own_membership =
        g == group::fleet_members && t.i.id_of(name, id, "user") == a.by.id && !a.by.administrator;
      const bool own_in_members =
        g == group::members && !a.by.administrator && a.by.kind == requester_kind::user
        && resource.find_field("user") != nullptr && t.i.id_of(name, id, "user") == a.by.id;
      if (own_membership || own_in_members) {
        auto all = standings(a, g, resource.root);
        all.push_back(a.by.by_key ? standing::own_by_key : standing::own);
        expected = union_of(all, g);
      }
      INFO(a.who << " and a row of " << name);
      CHECK(tried(t, a.by, resource, t.i.row(name, id)) == expected);
      ++cells;
    }
  }
  CHECK(cells > 700);
}

TEST_CASE("keys of fleets and devices belong to who works with them") {
  const tenants t;
  for (const auto& a : tests::askers(t)) {
    for (const auto key : {t.fleet_key, t.device_key}) {
      const auto& resource = t.i.model->at("api_key");
      const auto s = standing_of(a.on_fleet);
      const auto expected = a.by.administrator ? cell(group::api_keys, standing::platform)
                            : s                ? cell(group::api_keys, *s)
                                               : std::string();
      INFO(a.who);
      CHECK(tried(t, a.by, resource, t.i.row("api_key", key)) == (expected == "-" ? "" : expected));
    }
  }
}

TEST_CASE("roles and actions: done exactly as the table says") {
  const tenants t;
  for (const auto& a : tests::askers(t)) {
    for (const auto& line : domain::rights::actions()) {
      const auto name = std::string(line.resource);
      const auto& resource = t.i.model->at(name);
      const auto id = t.sample.at(name);
      bool expected = false;
      for (const auto s : standings(a, line.on, resource.root)) {
        const auto letter = domain::rights::standing_letters[static_cast<std::size_t>(s)];
        expected = expected || line.standings.find(letter) != std::string_view::npos;
      }
      // Nobody but the user himself makes his keys.
      INFO(a.who << " and " << line.name << " of " << name);
      const domain::access rights(*t.i.model, a.by, t.i.rows);
      CHECK(rights.may_do(line.of, resource, t.i.row(name, id)) == expected);
      for (const auto& [other, other_id] : t.sample) {
        const bool takes = std::any_of(
          domain::rights::actions().begin(),
          domain::rights::actions().end(),
          [&](const auto& l) { return l.of == line.of && l.resource == other; });
        if (!takes) {
          CHECK_FALSE(rights.may_do(line.of, t.i.model->at(other), t.i.row(other, other_id)));
        }
      }
    }
  }
}

TEST_CASE("a fleet's role says nothing of the organization's other fleets") {
  const tenants t;
  for (const auto& [name, user] : t.by_fleet_role) {
    INFO(name);
    const auto by = t.i.user(user);
    const domain::access rights(*t.i.model, by, t.i.rows);
    CHECK(rights.may_see(t.i.model->at("application"), t.i.row("application", t.fleet)));
    CHECK_FALSE(
      rights.may_see(t.i.model->at("application"), t.i.row("application", t.second_fleet)));
  }
}

TEST_CASE("candidates leave out nothing that any role sees") {
  const tenants t;
  for (const auto& a : tests::askers(t)) {
    const domain::access rights(*t.i.model, a.by, t.i.rows);
    for (const auto& def : t.i.model->resources()) {
      const auto named = rights.candidates(def);
      if (!named) {
        continue;
      }
      t.i.rows.scan(def.number, 0, [&](const messages::row& r) {
        INFO(a.who << " and " << def.name << " " << messages::id_of(r));
        const bool listed =
          std::find(named->begin(), named->end(), messages::id_of(r)) != named->end();
        CHECK((listed || !rights.may_see(def, r)));
        return true;
      });
    }
  }
}
