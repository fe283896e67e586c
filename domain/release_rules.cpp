#include "domain/release_version.hpp"
#include "domain/rule_hooks.hpp"

#include <algorithm>
#include <array>

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

template <class Visit>
void each_release(const draft& d, std::int64_t application, Visit visit) {
  const std::array<value, 1> key{application};
  d.lookup(n().release.resource, n().release.belongs_to__application, key, [&](std::int64_t id) {
    const auto r = d.get(n().release.resource, id);
    return !r || visit(*r);
  });
}

// May a tracking fleet run it? (balena-api.md 3.7)
bool qualifies(const row& release) {
  const auto& r = n().release;
  return is_final(release) && as_text(field(release, r.status)) == "success"
         && as_bool(field(release, r.is_passing_tests))
         && !as_bool(field(release, r.is_invalidated));
}

bool same_version(const row& a, const row& b) {
  const auto& r = n().release;
  const std::array parts{
    r.semver_major,
    r.semver_minor,
    r.semver_patch,
    r.semver_prerelease,
    r.variant};
  return std::all_of(parts.begin(), parts.end(), [&](std::uint16_t part) {
    return field(a, part) == field(b, part);
  });
}

std::int64_t next_revision(const draft& d, const row& release) {
  std::int64_t highest = -1;
  each_release(
    d,
    as_int(field(release, n().release.belongs_to__application)),
    [&](const row& other) {
      if (messages::id_of(other) != messages::id_of(release) && same_version(other, release)) {
        highest = std::max(highest, as_int(field(other, n().release.revision), -1));
      }
      return true;
    });
  return highest + 1;
}

// A final release that is given another version must not become one that is there (balena-api.md 3.4).
checked check_version_is_free(const draft& d, const change_set& set) {
  const auto& r = n().release;
  if (!is_final(set.before) || same_version(set.before, set.after)) {
    return {};
  }
  bool taken = false;
  each_release(d, as_int(field(set.after, r.belongs_to__application)), [&](const row& other) {
    taken = messages::id_of(other) != messages::id_of(set.after) && same_version(other, set.after)
            && field(other, r.revision) == field(set.after, r.revision);
    return !taken;
  });
  return taken ? checked(broken("there is already a release of this version.")) : checked{};
}

checked take_semver(change_set& set) {
  const auto& r = n().release;
  const auto& given = field(set.after, r.semver);
  if (is_null(given)) {
    return {};
  }
  const auto v = parse_semver(as_text(given));
  if (!v) {
    return tl::unexpected(v.error());
  }
  set.set(r.semver_major, v->major);
  set.set(r.semver_minor, v->minor);
  set.set(r.semver_patch, v->patch);
  set.set(r.semver_prerelease, v->prerelease);
  set.set(r.semver_build, v->build);
  set.set(r.semver, messages::null{});
  return {};
}

void finalize(draft& d, change_set& set) {
  set.set(n().release.revision, next_revision(d, set.after));
  set.set(n().release.is_finalized_at__date, d.now());
}

// One successful release per fleet and commit.
checked check_commit(const draft& d, const change_set& set) {
  const auto& r = n().release;
  const auto commit = as_text(field(set.after, r.commit));
  const bool shape = !commit.empty() && std::all_of(commit.begin(), commit.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'
           || c == '_';
  });
  if (!shape) {
    return broken("a release's commit has letters and digits only.");
  }
  if (as_text(field(set.after, r.status)) != "success") {
    return {};
  }
  bool taken = false;
  const std::array<value, 1> key{commit};
  d.lookup(r.resource, r.commit, key, [&](std::int64_t id) {
    const auto other = d.get(r.resource, id);
    taken =
      other && id != messages::id_of(set.after)
      && field(*other, r.belongs_to__application) == field(set.after, r.belongs_to__application)
      && as_text(field(*other, r.status)) == "success";
    return !taken;
  });
  return taken ? checked(broken("there is already a successful release of this commit."))
               : checked{};
}

// Two releases that a fleet can run do not carry the same label.
checked check_label(const draft& d, const change_set& set) {
  const auto& r = n().release;
  const auto& label = field(set.after, r.release_version);
  const auto counts = [&](const row& release) {
    return as_text(field(release, r.status)) == "success"
           && !as_bool(field(release, r.is_invalidated));
  };
  if (is_null(label) || !counts(set.after)) {
    return {};
  }
  bool taken = false;
  each_release(d, as_int(field(set.after, r.belongs_to__application)), [&](const row& other) {
    taken = messages::id_of(other) != messages::id_of(set.after)
            && field(other, r.release_version) == label && counts(other);
    return !taken;
  });
  return taken ? checked(broken("there is already a successful release of this release_version."))
               : checked{};
}

checked before_create_release(draft& d, const rule_context&, change_set& set) {
  const auto& r = n().release;
  if (auto ok = take_semver(set); !ok) {
    return ok;
  }
  if (is_null(field(set.after, r.start_timestamp))) {
    set.set(r.start_timestamp, d.now());
  }
  set.set(r.update_timestamp, d.now());
  const bool wants_final = as_bool(field(set.after, r.is_final), true);
  set.set(r.is_final, messages::null{});
  if (wants_final) {
    finalize(d, set);
  }
  const auto ok = check_commit(d, set);
  return ok ? check_label(d, set) : ok;
}

checked before_change_release(draft& d, const rule_context&, change_set& set) {
  const auto& r = n().release;
  if (
    set.gave(r.belongs_to__application)
    && field(set.before, r.belongs_to__application)
         != field(set.after, r.belongs_to__application)) {
    return broken("a release cannot move to another fleet.");
  }
  if (auto ok = take_semver(set); !ok) {
    return ok;
  }
  if (auto ok = check_version_is_free(d, set); !ok) {
    return ok;
  }
  if (set.gave(r.is_final)) {
    const bool wanted = as_bool(field(set.after, r.is_final));
    if (!wanted && is_final(set.before)) {
      return broken("a finalized release cannot become a draft again.");
    }
    if (wanted && !is_final(set.before)) {
      finalize(d, set);
    }
    set.set(r.is_final, messages::null{});
  }
  set.set(r.update_timestamp, d.now());
  const auto ok = check_commit(d, set);
  return ok ? check_label(d, set) : ok;
}

checked after_write_release(draft& d, const rule_context& c, const change_set& set) {
  const auto& r = n().release;
  const auto application = as_int(field(set.after, r.belongs_to__application));
  const auto fleet = d.get(n().application.resource, application);
  if (!fleet || !as_bool(field(*fleet, n().application.should_track_latest_release))) {
    return {};
  }
  const auto target = as_int(field(*fleet, n().application.should_be_running__release));
  const auto current = d.get(r.resource, target);
  const bool newer =
    !current
    || as_int(field(set.after, r.start_timestamp)) >= as_int(field(*current, r.start_timestamp));
  if (current && !qualifies(*current)) {
    change_set fleet_set;
    fleet_set.after = *fleet;
    return track_latest(d, c, fleet_set);
  }
  if (qualifies(set.after) && newer) {
    d.change(
      n().application.resource,
      application,
      {{n().application.should_be_running__release, messages::id_of(set.after)}});
  }
  return {};
}

checked before_remove_release(draft& d, const row& r) {
  const std::array<value, 1> key{messages::id_of(r)};
  if (d.first(n().application.resource, n().application.should_be_running__release, key)) {
    return broken("a release that is a fleet's target cannot be removed.");
  }
  if (d.first(n().device.resource, n().device.is_pinned_on__release, key)) {
    return broken("a release that a device is pinned to cannot be removed.");
  }
  const auto& device = n().device;
  for (const auto target :
       {device.should_be_operated_by__release, device.should_be_managed_by__release}) {
    if (d.first(device.resource, target, key)) {
      return broken("a release that a device's host or supervisor should be cannot be removed.");
    }
  }
  return {};
}

checked before_create_image(draft& d, const rule_context& c, change_set& set) {
  const auto& i = n().image;
  set.set(i.is_stored_at__image_location, c.registry_host + "/v2/" + c.random_hex(32));
  const auto started = i.is_a_build_of__service + 1;
  if (is_null(field(set.after, static_cast<std::size_t>(started)))) {
    set.set(static_cast<std::uint16_t>(started), d.now());
  }
  return {};
}

checked check_image(draft&, const rule_context&, change_set& set) {
  const auto& i = n().image;
  if (
    as_text(field(set.after, i.status)) == "success"
    && is_null(field(set.after, i.push_timestamp))) {
    return broken("an image with status success has a push_timestamp.");
  }
  const auto hash = as_text(field(set.after, i.content_hash));
  const bool shape =
    hash.empty()
    || (hash.size() == 71 && hash.starts_with("sha256:") && hash.find_first_not_of("0123456789abcdef", 7) == std::string::npos);
  return shape ? checked{} : broken("\"content_hash\" is sha256: and 64 hexadecimal digits.");
}

// A second image needs an application type with several containers (balena-api.md 3.4).
checked check_may_hold_another(const draft& d, const row& release, const row& link) {
  const auto fleet =
    d.get(n().application.resource, as_int(field(release, n().release.belongs_to__application)));
  const auto type =
    fleet ? d.get(n().application_type, as_int(field(*fleet, n().application.application_type)))
          : std::nullopt;
  static const auto several = d.model().at("application_type").field("supports_multicontainer");
  if (!type || as_bool(field(*type, several), true)) {
    return {};
  }
  const std::array<value, 1> key{messages::id_of(release)};
  const auto links = d.all(n().release_image.resource, n().release_image.is_part_of__release, key);
  const bool alone = std::all_of(links.begin(), links.end(), [&](std::int64_t id) {
    return id == messages::id_of(link);
  });
  return alone ? checked{} : broken("the fleet's application type has one image in a release.");
}

checked before_write_release_image(draft& d, const rule_context&, change_set& set) {
  const auto image = d.get(n().image.resource, as_int(field(set.after, n().release_image.image)));
  const auto release =
    d.get(n().release.resource, as_int(field(set.after, n().release_image.is_part_of__release)));
  if (!image || !release) {
    return broken("\"image\" or \"is_part_of__release\" does not exist.");
  }
  const auto service =
    d.get(n().service.resource, as_int(field(*image, n().image.is_a_build_of__service)));
  const bool same = service
                    && field(*service, n().service.application)
                         == field(*release, n().release.belongs_to__application);
  return same ? check_may_hold_another(d, *release, set.after)
              : broken("an image and its release belong to the same fleet.");
}

}  // namespace

checked track_latest(draft& d, const rule_context&, const change_set& set) {
  const auto& a = n().application;
  const bool begins =
    set.before.empty()
    || (as_bool(field(set.after, a.should_track_latest_release)) && !as_bool(field(set.before, a.should_track_latest_release)));
  if (!begins) {
    return {};
  }
  std::optional<row> latest;
  each_release(d, messages::id_of(set.after), [&](const row& r) {
    const auto start = n().release.start_timestamp;
    if (qualifies(r) && (!latest || as_int(field(r, start)) >= as_int(field(*latest, start)))) {
      latest = r;
    }
    return true;
  });
  if (latest) {
    d.change(
      a.resource,
      messages::id_of(set.after),
      {{a.should_be_running__release, messages::id_of(*latest)}});
  }
  return {};
}

void add_release_hooks(std::vector<entry>& table) {
  table[n().release.resource] = {
    before_create_release,
    before_change_release,
    after_write_release,
    before_remove_release};
  table[n().image.resource] = {
    [](draft& d, const rule_context& c, change_set& set) {
      const auto ok = before_create_image(d, c, set);
      return ok ? check_image(d, c, set) : ok;
    },
    check_image,
    nullptr,
    nullptr};
  table[n().release_image.resource] = {
    before_write_release_image,
    before_write_release_image,
    nullptr,
    nullptr};
}

}  // namespace slipway::domain::hooks
