#include "domain/seed.hpp"

#include "domain/device_catalog.hpp"
#include "domain/numbers.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::domain {
namespace {

struct role {
  std::string_view name, description;
};

constexpr std::array organization_roles{
  role{"administrator", "Manages the organization, its members and all of its fleets."},
  role{"developer", "Changes all of the organization's fleets."},
  role{"operator", "Operates the devices of all of the organization's fleets."},
  role{"observer", "Sees all of the organization's fleets."},
  role{"member", "Belongs to the organization; rights come with its fleets."}};

constexpr std::array application_roles{
  role{"administrator", "Manages the fleet and its members."},
  role{"developer", "Changes the fleet, its releases and its devices."},
  role{"operator", "Operates the fleet's devices."},
  role{"observer", "Sees the fleet and its devices."}};

/// Adds rows that are not there yet, by the one field that names them.
class seeder {
public:
  seeder(draft& d, const std::function<std::int64_t()>& next_id) : d_(d), next_id_(next_id) {}

  [[nodiscard]] std::optional<std::int64_t>
  find(std::uint16_t resource, std::uint16_t field, std::string_view name) const {
    const std::array<messages::value, 1> key{std::string(name)};
    return d_.first(resource, field, key);
  }

  std::int64_t add(
    std::uint16_t resource,
    std::uint16_t field,
    std::string_view name,
    std::vector<messages::field_value> others = {}) {
    if (const auto id = find(resource, field, name)) {
      return *id;
    }
    const auto id = next_id_();
    others.push_back({field, std::string(name)});
    d_.create(resource, id, std::move(others));
    return id;
  }

private:
  draft& d_;
  const std::function<std::int64_t()>& next_id_;
};

using ids = std::map<std::string_view, std::int64_t>;

messages::value id_or_null(const ids& known, std::string_view slug) {
  const auto it = known.find(slug);
  return it == known.end() ? messages::value{} : messages::value(it->second);
}

ids seed_families(seeder& s) {
  const auto& m = numbers::get().device_manufacturer;
  const auto& f = numbers::get().device_family;
  ids manufacturers;
  for (const auto& k : known_manufacturers()) {
    manufacturers[k.slug] = s.add(m.resource, m.slug, k.slug, {{m.name, std::string(k.name)}});
  }
  ids families;
  for (const auto& k : known_device_families()) {
    families[k.slug] = s.add(
      f.resource,
      f.slug,
      k.slug,
      {{f.name, std::string(k.name)},
       {f.is_manufactured_by__device_manufacturer, id_or_null(manufacturers, k.manufacturer)}});
  }
  return families;
}

void seed_aliases(seeder& s, std::int64_t type, std::string_view slug, std::string_view others) {
  const auto& a = numbers::get().device_type_alias;
  s.add(a.resource, a.is_referenced_by__alias, slug, {{a.device_type, type}});
  while (!others.empty()) {
    const auto space = std::min(others.find(' '), others.size());
    s.add(a.resource, a.is_referenced_by__alias, others.substr(0, space), {{a.device_type, type}});
    others.remove_prefix(std::min(space + 1, others.size()));
  }
}

void seed_device_types(seeder& s, std::uint16_t architecture_slug) {
  const auto& n = numbers::get();
  ids architectures;
  for (const auto slug : known_architectures()) {
    architectures[slug] = s.add(n.cpu_architecture, architecture_slug, slug);
  }
  const auto families = seed_families(s);
  for (const auto& t : known_device_types()) {
    const auto id = s.add(
      n.device_type.resource,
      n.device_type.slug,
      t.slug,
      {{n.device_type.name, std::string(t.name)},
       {n.device_type.is_of__cpu_architecture, architectures[t.architecture]},
       {n.device_type.belongs_to__device_family, id_or_null(families, t.family)}});
    seed_aliases(s, id, t.slug, t.aliases);
  }
}

void seed_roles(seeder& s) {
  const auto& o = numbers::get().organization_membership_role;
  for (const auto& r : organization_roles) {
    s.add(o.resource, o.name, r.name, {{o.description, std::string(r.description)}});
  }
  const auto& a = numbers::get().application_membership_role;
  for (const auto& r : application_roles) {
    s.add(a.resource, a.name, r.name, {{a.description, std::string(r.description)}});
  }
}

void seed_application_type(seeder& s, const resource_def& type) {
  std::vector<messages::field_value> values;
  for (const auto& f : type.fields) {
    if (!messages::is_null(f.otherwise)) {
      values.push_back({f.number, f.otherwise});
    }
  }
  values.push_back({type.field("name"), "Default"});
  s.add(type.number, type.field("slug"), "default", std::move(values));
}

}  // namespace

void seed_catalog(draft& d, const std::function<std::int64_t()>& next_id) {
  seeder s(d, next_id);
  seed_device_types(s, d.model().at("cpu_architecture").field("slug"));
  seed_application_type(s, d.model().at("application_type"));
  seed_roles(s);
}

void seed_member_roles(draft& d, std::int64_t organization) {
  const auto& m = numbers::get().organization_membership;
  const auto& role = numbers::get().organization_membership_role;
  const std::array<messages::value, 1> administrator{"administrator"};
  const auto id = d.first(role.resource, role.name, administrator);
  const std::array<messages::value, 1> key{organization};
  for (const auto membership : d.all(m.resource, m.is_member_of__organization, key)) {
    const auto r = d.get(m.resource, membership);
    if (id && r && messages::is_null(messages::field(*r, m.organization_membership_role))) {
      d.change(m.resource, membership, {{m.organization_membership_role, *id}});
    }
  }
}

}  // namespace slipway::domain
