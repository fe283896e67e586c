#include "tests/support/installation.hpp"

#include "domain/access.hpp"
#include "domain/memberships.hpp"
#include "domain/seed.hpp"
#include "runtime/assert.hpp"

#include <cstdio>

namespace slipway::tests {

using domain::resource_def;
using messages::entity_kind;
using messages::entity_ref;
using messages::event_type;
using messages::requester;
using messages::requester_kind;
using messages::value;

installation::installation() {
  domain::draft d(*model, rows, now);
  domain::seed_catalog(d, [this] { return next_id(); });
  apply({entity_kind::catalog, messages::partition_count}, d);
}

requester installation::platform() {
  requester by;
  by.kind = requester_kind::platform;
  return by;
}

requester installation::user(std::int64_t id) const {
  const auto by = domain::requester_of_user(rows, id);
  SLIPWAY_ASSERT(by);
  return *by;
}

requester installation::user_by_key(std::int64_t id) const {
  auto by = user(id);
  by.by_key = true;
  return by;
}

requester installation::provisioning_key(std::int64_t fleet) const {
  requester by;
  by.kind = requester_kind::fleet;
  by.id = fleet;
  by.actor = id_of("application", fleet, "actor");
  by.by_key = true;
  return by;
}

requester installation::device(std::int64_t id) const {
  requester by;
  by.kind = requester_kind::device;
  by.id = id;
  by.actor = id_of("device", id, "actor");
  by.by_key = true;
  return by;
}

domain::rule_context installation::context(entity_ref entity) {
  return {
    entity,
    [this] { return next_id(); },
    [this](std::size_t digits) {
      std::string text(digits, '0');
      const auto tail = std::to_string(++random_);
      return text.replace(text.size() - tail.size(), tail.size(), tail);
    },
    "registry.test"};
}

std::vector<messages::field_value> installation::values_of(
  const resource_def& resource,
  const named_values& values) const {
  std::vector<messages::field_value> out;
  for (const auto& [name, v] : values) {
    out.push_back({resource.field(name), v});
  }
  return out;
}

void installation::apply(entity_ref entity, const domain::draft& d) {
  events = d.events();
  last = {};
  last.entity = entity;
  last.time = now;
  last.events = events;
  for (const auto& e : events) {
    if (e.type == event_type::row_removed) {
      rows.remove(e.resource, e.id);
      continue;
    }
    auto r = e.type == event_type::row_created ? messages::row{e.id, now, now}
                                               : *rows.get(e.resource, e.id);
    r[2] = now;
    domain::put_values(r, e.values);
    rows.put(e.resource, std::move(r));
  }
}

domain::decision
installation::create(const requester& by, std::string_view resource, named_values values) {
  const auto& def = model->at(resource);
  messages::create_row cmd;
  cmd.by = by;
  cmd.resource = def.number;
  cmd.values = values_of(def, values);
  entity_ref to{def.root, 0};
  if (def.root == entity_kind::catalog) {
    to.id = messages::partition_count;
  } else if (def.root_path.empty()) {
    to.id = next_id();
  } else {
    messages::row r(def.fields.size());
    domain::put_values(r, cmd.values);
    const auto root = domain::root_id(*model, def, r, rows);
    if (!root) {
      return messages::fail(messages::errc::rule_violated, "the parent does not exist");
    }
    to.id = *root;
  }
  return tell(to, cmd);
}

domain::decision installation::change(
  const requester& by,
  std::string_view resource,
  std::int64_t id,
  named_values values) {
  const auto& def = model->at(resource);
  messages::change_row cmd;
  cmd.by = by;
  cmd.resource = def.number;
  cmd.id = id;
  cmd.values = values_of(def, values);
  return tell(domain::entity_of(*model, def, row(resource, id), rows).value(), cmd);
}

domain::decision
installation::remove(const requester& by, std::string_view resource, std::int64_t id) {
  const auto& def = model->at(resource);
  messages::remove_row cmd;
  cmd.by = by;
  cmd.resource = def.number;
  cmd.id = id;
  return tell(domain::entity_of(*model, def, row(resource, id), rows).value(), cmd);
}

std::int64_t installation::given(std::string_view resource, named_values values) {
  const auto id = create(platform(), resource, std::move(values));
  if (!id) {
    std::fprintf(
      stderr,
      "given %s: %s\n",
      std::string(resource).c_str(),
      id.error().detail.c_str());
  }
  SLIPWAY_ASSERT(id.has_value());
  return *id;
}

domain::decision installation::seed(entity_kind kind, const seeding& make) {
  const entity_ref entity{kind, next_id()};
  domain::draft d(*model, rows, now);
  const auto made = make(d, context(entity));
  if (made) {
    apply(entity, d);
  }
  return made;
}

std::int64_t installation::given_user(const std::string& name) {
  return given("user", {{"username", name}, {"password", "a hash"}});
}

std::int64_t installation::given_administrator(const std::string& name) {
  return given("user", {{"username", name}, {"password", "a hash"}, {"is_administrator", true}});
}

std::int64_t installation::given_fleet(std::int64_t user, const std::string& name, bool is_public) {
  return given(
    "application",
    {{"app_name", name},
     {"organization", organization_of(user)},
     {"is_for__device_type", device_type("generic-amd64")},
     {"is_public", is_public}});
}

std::int64_t installation::given_device(std::int64_t fleet, const std::string& uuid_begins) {
  auto uuid = uuid_begins + std::to_string(++random_);
  uuid.resize(32, 'a');
  return given(
    "device",
    {{"uuid", uuid},
     {"belongs_to__application", fleet},
     {"is_of__device_type", device_type("generic-amd64")}});
}

std::int64_t installation::given_service(std::int64_t fleet, const std::string& name) {
  for (const auto id : where("service", "application", fleet)) {
    if (text_of("service", id, "service_name") == name) {
      return id;
    }
  }
  return given("service", {{"application", fleet}, {"service_name", name}});
}

std::int64_t installation::given_release(
  std::int64_t fleet,
  const std::vector<std::string>& services) {
  const auto release = given(
    "release",
    {{"belongs_to__application", fleet}, {"commit", "c" + std::to_string(++random_)}});
  for (const auto& name : services) {
    const auto image = given(
      "image",
      {{"is_a_build_of__service", given_service(fleet, name)},
       {"status", "success"},
       {"push_timestamp", now},
       {"content_hash", "sha256:" + std::string(64, 'f')}});
    given("release_image", {{"is_part_of__release", release}, {"image", image}});
  }
  SLIPWAY_ASSERT(change(platform(), "release", release, {{"status", "success"}}).has_value());
  return release;
}

messages::row installation::row(std::string_view resource, std::int64_t id) const {
  const auto r = rows.get(model->at(resource).number, id);
  SLIPWAY_ASSERT(r.has_value());
  return *r;
}

bool installation::exists(std::string_view resource, std::int64_t id) const {
  return rows.get(model->at(resource).number, id).has_value();
}

value installation::of(std::string_view resource, std::int64_t id, std::string_view field) const {
  const auto& f = model->at(resource).fields[model->at(resource).field(field)];
  const auto r = row(resource, id);
  return f.compute ? f.compute(r, rows) : messages::field(r, f.number);
}

std::int64_t installation::id_of(std::string_view resource, std::int64_t id, std::string_view field)
  const {
  return messages::as_int(of(resource, id, field));
}

std::string
installation::text_of(std::string_view resource, std::int64_t id, std::string_view field) const {
  return messages::as_text(of(resource, id, field));
}

std::size_t installation::count(std::string_view resource) const {
  return rows.count(model->at(resource).number);
}

std::vector<std::int64_t>
installation::where(std::string_view resource, std::string_view field, value v) const {
  const auto& def = model->at(resource);
  std::vector<std::int64_t> found;
  rows.scan(def.number, 0, [&](const messages::row& r) {
    if (messages::field(r, def.field(field)) == v) {
      found.push_back(messages::id_of(r));
    }
    return true;
  });
  return found;
}

std::int64_t installation::organization_of(std::int64_t user) const {
  const auto memberships = where("organization_membership", "user", user);
  SLIPWAY_ASSERT(!memberships.empty());
  return id_of("organization_membership", memberships.front(), "is_member_of__organization");
}

std::int64_t installation::device_type(const std::string& slug) const {
  const auto found = where("device_type", "slug", slug);
  SLIPWAY_ASSERT(found.size() == 1);
  return found.front();
}

}  // namespace slipway::tests
