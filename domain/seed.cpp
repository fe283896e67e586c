#include "domain/seed.hpp"

#include "domain/numbers.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace slipway::domain {
namespace {

struct device_type {
  std::string_view slug, name, architecture;
};

constexpr std::array architectures{"rpi", "armv7hf", "aarch64", "i386-nlp", "i386", "amd64"};

constexpr std::array device_types{
  device_type{"raspberry-pi", "Raspberry Pi (v1 / Zero / Zero W)", "rpi"},
  device_type{"raspberry-pi2", "Raspberry Pi 2", "armv7hf"},
  device_type{"raspberrypi3", "Raspberry Pi 3", "armv7hf"},
  device_type{"raspberrypi3-64", "Raspberry Pi 3 (64 bit)", "aarch64"},
  device_type{"raspberrypi4-64", "Raspberry Pi 4 (64 bit)", "aarch64"},
  device_type{"raspberrypi5", "Raspberry Pi 5", "aarch64"},
  device_type{"raspberrypicm4-ioboard", "Raspberry Pi CM4 IO Board", "aarch64"},
  device_type{"beaglebone-black", "BeagleBone Black", "armv7hf"},
  device_type{"jetson-nano", "Nvidia Jetson Nano", "aarch64"},
  device_type{"jetson-xavier-nx-devkit", "Nvidia Jetson Xavier NX", "aarch64"},
  device_type{"jetson-agx-orin-devkit", "Nvidia Jetson AGX Orin", "aarch64"},
  device_type{"rockpi-4b-rk3399", "ROCK Pi 4B", "aarch64"},
  device_type{"imx8mm-var-dart", "Variscite DART-MX8M Mini", "aarch64"},
  device_type{"generic-armv7ahf", "Generic ARMv7-a HF", "armv7hf"},
  device_type{"generic-aarch64", "Generic AARCH64 (ARMv8)", "aarch64"},
  device_type{"generic-amd64", "Generic x86_64 (GPT)", "amd64"},
  device_type{"genericx86-64-ext", "Generic x86_64 (legacy MBR)", "amd64"},
  device_type{"intel-nuc", "Intel NUC", "amd64"},
  device_type{"qemux86", "QEMU X86 32bit", "i386"},
  device_type{"qemux86-64", "QEMU X86 64bit", "amd64"},
};

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
  const auto& n = numbers::get();
  seeder s(d, next_id);
  std::map<std::string_view, std::int64_t> architecture_ids;
  const auto architecture_slug = d.model().at("cpu_architecture").field("slug");
  for (const auto* slug : architectures) {
    architecture_ids[slug] = s.add(n.cpu_architecture, architecture_slug, slug);
  }
  for (const auto& t : device_types) {
    const auto id = s.add(
      n.device_type.resource,
      n.device_type.slug,
      t.slug,
      {{n.device_type.name, std::string(t.name)},
       {n.device_type.is_of__cpu_architecture, architecture_ids[t.architecture]}});
    s.add(
      n.device_type_alias.resource,
      n.device_type_alias.is_referenced_by__alias,
      t.slug,
      {{n.device_type_alias.device_type, id}});
  }
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
