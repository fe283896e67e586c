#include "domain/host_rules.hpp"

#include "domain/release_version.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace slipway::domain::hooks {
namespace {

using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::field;
using messages::is_null;
using messages::row;
using messages::value;

const numbers::table& n() {
  return numbers::get();
}

// `balenaOS 6.0.0+rev1`, `6.0.0`: the version begins with the first digit.
std::optional<semver> version_in(std::string_view text) {
  const auto digit = text.find_first_of("0123456789");
  if (digit == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(digit);
  auto v = parse_semver(text.substr(0, text.find(' ')));
  return v ? std::optional(std::move(*v)) : std::nullopt;
}

semver version_of(const row& release) {
  const auto& r = n().release;
  return {
    as_int(field(release, r.semver_major)),
    as_int(field(release, r.semver_minor)),
    as_int(field(release, r.semver_patch)),
    as_text(field(release, r.semver_prerelease)),
    as_text(field(release, r.semver_build))};
}

bool is_downgrade(const row& target, const value& current) {
  const auto running = version_in(as_text(current));
  return running && precedes(version_of(target), *running);
}

struct candidate {
  row release;
  row application;
};

std::optional<candidate> successful(const draft& d, const value& id) {
  auto release = d.get(n().release.resource, as_int(id));
  if (!release || as_text(field(*release, n().release.status)) != "success") {
    return std::nullopt;
  }
  auto application =
    d.get(n().application.resource, as_int(field(*release, n().release.belongs_to__application)));
  return application ? std::optional(candidate{std::move(*release), std::move(*application)})
                     : std::nullopt;
}

checked check_host(const draft& d, const row& device) {
  const auto& t = n().device;
  const auto& target = field(device, t.should_be_operated_by__release);
  const auto found = successful(d, target);
  const bool fits = found && as_bool(field(found->application, n().application.is_host))
                    && field(found->application, n().application.is_for__device_type)
                         == field(device, t.is_of__device_type);
  if (!fits) {
    return broken(
      "a device is operated by a successful release of a host application for its device type.");
  }
  return is_downgrade(found->release, field(device, t.os_version))
           ? checked(broken("a device's host OS cannot be downgraded."))
           : checked{};
}

std::string architecture_slug(const draft& d, const row& device) {
  static const auto slug = d.model().at("cpu_architecture").field("slug");
  const auto id = architecture_of(d, as_int(field(device, n().device.is_of__device_type)));
  const auto r = d.get(n().cpu_architecture, id);
  return r ? as_text(field(*r, slug)) : "";
}

std::string supervisor_slug(const draft& d, const row& device) {
  return "balena_os/" + architecture_slug(d, device) + "-supervisor";
}

checked check_supervisor(const draft& d, const row& device) {
  const auto& t = n().device;
  const auto found = successful(d, field(device, t.should_be_managed_by__release));
  const auto zero = semver{};
  const bool fits =
    found && precedes(zero, version_of(found->release))
    && as_bool(field(found->application, n().application.is_public))
    && as_text(field(found->application, n().application.slug)) == supervisor_slug(d, device);
  if (!fits) {
    return broken(
      "a device is managed by a successful release, above 0.0.0, of the public supervisor for its "
      "architecture.");
  }
  return is_downgrade(found->release, field(device, t.supervisor_version))
           ? checked(broken("a device's supervisor cannot be downgraded."))
           : checked{};
}

// Version and variant are what tell one release of a host from another.
bool is_release(const row& release, const semver& v, std::string_view variant) {
  const auto& r = n().release;
  const auto theirs = as_text(field(release, r.variant));
  const auto own = version_of(release);
  const auto revision = as_int(field(release, r.revision), -1);
  std::int64_t wanted = 0;
  if (const auto rev = v.build.find("rev"); rev != std::string::npos) {
    const auto* end = v.build.data() + v.build.size();
    std::from_chars(v.build.data() + rev + 3, end, wanted);
  }
  return as_text(field(release, r.status)) == "success"
         && !as_bool(field(release, r.is_invalidated)) && own.major == v.major
         && own.minor == v.minor && own.patch == v.patch && own.prerelease == v.prerelease
         && revision == wanted && (theirs.empty() || theirs == variant);
}

std::optional<std::int64_t>
release_of(const draft& d, std::int64_t application, const semver& v, std::string_view variant) {
  std::optional<std::int64_t> found;
  const std::array<value, 1> key{application};
  d.lookup(n().release.resource, n().release.belongs_to__application, key, [&](std::int64_t id) {
    const auto r = d.get(n().release.resource, id);
    found = r && is_release(*r, v, variant) ? std::optional(id) : std::nullopt;
    return !found;
  });
  return found;
}

// Only who is known to provide hosts: else anybody's public application could take over devices that report a version of its.
bool is_provided(const draft& d, const row& application) {
  const auto& a = n().application;
  const auto organization =
    d.get(n().organization.resource, as_int(field(application, a.organization)));
  return organization && as_bool(field(application, a.is_public))
         && is_reserved_handle(as_text(field(*organization, n().organization.handle)));
}

std::optional<std::int64_t> host_release(const draft& d, const row& device) {
  const auto v = version_in(as_text(field(device, n().device.os_version)));
  if (!v) {
    return std::nullopt;
  }
  const auto& a = n().application;
  const std::array<value, 1> type{field(device, n().device.is_of__device_type)};
  for (const auto id : d.all(a.resource, a.is_for__device_type, type)) {
    const auto application = d.get(a.resource, id);
    if (application && as_bool(field(*application, a.is_host)) && is_provided(d, *application)) {
      if (const auto r = release_of(d, id, *v, as_text(field(device, n().device.os_variant)))) {
        return r;
      }
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> supervisor_release(const draft& d, const row& device) {
  const auto v = version_in(as_text(field(device, n().device.supervisor_version)));
  const std::array<value, 1> slug{supervisor_slug(d, device)};
  const auto id = v ? d.first(n().application.resource, n().application.slug, slug) : std::nullopt;
  const auto application = id ? d.get(n().application.resource, *id) : std::nullopt;
  return application && is_provided(d, *application) ? release_of(d, *id, *v, "") : std::nullopt;
}

}  // namespace

checked check_host_targets(const draft& d, const change_set& set) {
  const auto& t = n().device;
  const auto asked = [&](std::uint16_t target) {
    return !is_null(field(set.after, target))
           && field(set.after, target) != field(set.before, target);
  };
  if (asked(t.should_be_operated_by__release)) {
    if (auto ok = check_host(d, set.after); !ok) {
      return ok;
    }
  }
  return asked(t.should_be_managed_by__release) ? check_supervisor(d, set.after) : checked{};
}

void map_versions(const draft& d, const row& before, row& device) {
  const auto& t = n().device;
  const auto fill = [&](std::uint16_t target, std::uint16_t version, auto find) {
    const bool news = field(device, version) != field(before, version);
    if (!news || is_null(field(device, version)) || !is_null(field(device, target))) {
      return;
    }
    if (const auto release = find(d, device)) {
      const std::array<messages::field_value, 1> one{messages::field_value{target, *release}};
      put_values(device, one);
    }
  };
  fill(t.should_be_operated_by__release, t.os_version, host_release);
  fill(t.should_be_managed_by__release, t.supervisor_version, supervisor_release);
}

bool is_reserved_handle(std::string_view handle) {
  static constexpr std::array<std::string_view, 5> reserved{
    "balena",
    "balena_os",
    "resin_os",
    "slipway",
    "slipway_os"};
  return std::find(reserved.begin(), reserved.end(), handle) != reserved.end();
}

bool is_os_variant(std::string_view variant) {
  return variant == "dev" || variant == "prod";
}

}  // namespace slipway::domain::hooks
