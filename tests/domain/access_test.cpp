#include "domain/access.hpp"

#include "tests/support/installation.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <map>
#include <set>

using namespace slipway;
using domain::verb;
using messages::errc;
using messages::requester;

namespace {

/// Ann's fleet with two devices, Bob's fleet with one, and an administrator; one row of every resource on Ann's side.
struct two_tenants {
  tests::installation i;
  std::int64_t ann = i.given_user("ann"), bob = i.given_user("bob"),
               root = i.given_administrator("root");
  std::int64_t fleet = i.given_fleet(ann, "cars"), other_fleet = i.given_fleet(bob, "boats");
  std::int64_t release = i.given_release(fleet), other_release = i.given_release(other_fleet);
  std::int64_t device = i.given_device(fleet), sibling = i.given_device(fleet),
               stranger = i.given_device(other_fleet);
  std::map<std::string, std::int64_t> sample;

  two_tenants() {
    given_of_fleet();
    given_of_device();
    sample["user"] = ann;
    sample["organization"] = i.organization_of(ann);
    sample["organization_membership"] = i.where("organization_membership", "user", ann).at(0);
    for (const auto* catalog :
         {"cpu_architecture", "device_type", "device_type_alias", "application_type"}) {
      i.rows.scan(i.model->at(catalog).number, 0, [&](const messages::row& r) {
        sample[catalog] = messages::id_of(r);
        return false;
      });
    }
    const auto key = i.tell({messages::entity_kind::user, ann}, key_of(i.user(ann)));
    sample["api_key"] = key.value();
  }

  static messages::add_key key_of(const requester& by) {
    messages::add_key cmd;
    cmd.by = by;
    cmd.of_actor = by.actor;
    cmd.key_hash = "hash of a secret";
    cmd.name = "a key";
    return cmd;
  }

  void given_of_fleet() {
    sample["application"] = fleet;
    sample["release"] = release;
    const auto link = i.where("release_image", "is_part_of__release", release).at(0);
    sample["release_image"] = link;
    sample["image"] = i.id_of("release_image", link, "image");
    const auto service = i.given_service(fleet, "main");
    sample["service"] = service;
    const auto keyed = [&](const char* name, const char* parent, std::int64_t id, const char* key) {
      sample[name] = i.given(name, {{parent, id}, {key, "NAME"}, {"value", "v"}});
    };
    keyed("image_label", "release_image", link, "label_name");
    keyed("image_environment_variable", "release_image", link, "name");
    keyed("application_environment_variable", "application", fleet, "name");
    keyed("service_environment_variable", "service", service, "name");
    keyed("service_label", "service", service, "label_name");
    keyed("application_tag", "application", fleet, "tag_key");
    keyed("release_tag", "release", release, "tag_key");
    sample["application_config_variable"] = i.given(
      "application_config_variable",
      {{"application", fleet}, {"name", "RESIN_X"}, {"value", "1"}});
  }

  void given_of_device() {
    sample["device"] = device;
    const auto install = i.where("service_install", "device", device).at(0);
    sample["service_install"] = install;
    sample["image_install"] = i.given(
      "image_install",
      {{"device", device},
       {"installs__image", sample.at("image")},
       {"is_provided_by__release", release},
       {"install_date", i.now},
       {"status", "Running"}});
    sample["device_environment_variable"] = i.given(
      "device_environment_variable",
      {{"device", device}, {"name", "NAME"}, {"value", "v"}});
    sample["device_config_variable"] =
      i.given("device_config_variable", {{"device", device}, {"name", "RESIN_X"}, {"value", "1"}});
    sample["device_service_environment_variable"] = i.given(
      "device_service_environment_variable",
      {{"service_install", install}, {"name", "NAME"}, {"value", "v"}});
    sample["device_tag"] =
      i.given("device_tag", {{"device", device}, {"tag_key", "t"}, {"value", "v"}});
  }

  /// What `by` may do with a row: c(reate) s(ee) u(pdate) r(emove).
  [[nodiscard]] std::string
  rights(const requester& by, std::string_view resource, const messages::row& r) const {
    const domain::access a(*i.model, by, i.rows);
    const auto& def = i.model->at(resource);
    std::string out;
    out += a.may(verb::create, def, r) ? "c" : "";
    out += a.may_see(def, r) ? "s" : "";
    out += a.may(verb::change, def, r) ? "u" : "";
    out += a.may(verb::remove, def, r) ? "r" : "";
    return out.empty() ? "-" : out;
  }

  [[nodiscard]] std::array<std::pair<const char*, requester>, 8> requesters() const {
    return {
      {{"a guest", tests::installation::guest()},
       {"the member", i.user(ann)},
       {"another user", i.user(bob)},
       {"an administrator", i.user(root)},
       {"the fleet's provisioning key", i.provisioning_key(fleet)},
       {"the device's key", i.device(device)},
       {"a sibling device's key", i.device(sibling)},
       {"a foreign device's key", i.device(stranger)}}};
  }
};

struct line {
  const char* resource;
  // guest, member, another user, administrator, provisioning key, own device, sibling device, foreign device
  std::array<const char*, 8> rights;
};

// One line per resource of the model, rows on Ann's side.
const std::array matrix{
  line{"user", {"-", "su", "-", "csur", "-", "-", "-", "-"}},
  line{"api_key", {"-", "sur", "-", "sur", "-", "-", "-", "-"}},
  line{"organization", {"-", "csur", "c", "csur", "-", "-", "-", "-"}},
  line{"organization_membership", {"-", "csur", "-", "csur", "-", "-", "-", "-"}},
  line{"cpu_architecture", {"s", "s", "s", "csur", "s", "s", "s", "s"}},
  line{"device_type", {"s", "s", "s", "csur", "s", "s", "s", "s"}},
  line{"device_type_alias", {"s", "s", "s", "csur", "s", "s", "s", "s"}},
  line{"application_type", {"s", "s", "s", "csur", "s", "s", "s", "s"}},
  line{"application", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"service", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"release", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"image", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"release_image", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"image_label", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"image_environment_variable", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"application_environment_variable", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"application_config_variable", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"service_environment_variable", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"service_label", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"application_tag", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"release_tag", {"-", "csur", "-", "csur", "-", "s", "s", "-"}},
  line{"device", {"-", "csur", "-", "csur", "s", "su", "-", "-"}},
  line{"image_install", {"-", "csur", "-", "csur", "-", "csu", "-", "-"}},
  line{"service_install", {"-", "csur", "-", "csur", "-", "csu", "-", "-"}},
  line{"device_environment_variable", {"-", "csur", "-", "csur", "-", "csur", "-", "-"}},
  line{"device_config_variable", {"-", "csur", "-", "csur", "-", "csu", "-", "-"}},
  line{"device_service_environment_variable", {"-", "csur", "-", "csur", "-", "csur", "-", "-"}},
  line{"device_tag", {"-", "csur", "-", "csur", "-", "csur", "-", "-"}},
};

// What becomes visible to everybody once the fleet is public: what it runs, not its settings and not who runs it.
const std::array visible_when_public{
  "application",
  "service",
  "release",
  "image",
  "release_image",
  "image_label",
  "image_environment_variable",
  "service_label",
  "application_tag",
  "release_tag"};

// Resources that came with members' roles, whose rights the roles decide.
const std::set<std::string_view> by_role{
  "login_session",
  "user_public_key",
  "organization_membership_role",
  "application_membership_role",
  "invitee",
  "organization_membership_tag",
  "invitee__is_invited_to__organization",
  "team",
  "team_membership",
  "team_application_access",
  "user_application_membership",
  "invitee__is_invited_to__application",
  "device_family",
  "device_manufacturer",
  "service_instance",
  "build_environment_variable",
  "application_profile",
  "image_profile",
  "release_asset",
  "build",
  "builder",
  "device_history"};

}  // namespace

TEST_CASE("who may create, see, change and remove what is exactly this table") {
  const two_tenants t;
  for (const auto& l : matrix) {
    const auto by = t.requesters();
    for (std::size_t k = 0; k < by.size(); ++k) {
      INFO(by[k].first << " and a row of " << l.resource);
      const auto row = t.i.row(l.resource, t.sample.at(l.resource));
      CHECK(t.rights(by[k].second, l.resource, row) == l.rights[k]);
    }
  }
}

TEST_CASE("the table of rights names every resource of the model") {
  const two_tenants t;
  for (const auto& r : t.i.model->resources()) {
    INFO(r.name);
    // An actor has no rows.
    const bool named = std::any_of(matrix.begin(), matrix.end(), [&](const line& l) {
      return r.name == l.resource;
    });
    CHECK((named || r.name == "actor" || by_role.contains(r.name)));
  }
}

TEST_CASE(
  "a public fleet shows what it runs to everybody, but neither its settings nor its devices") {
  two_tenants t;
  REQUIRE(t.i.change(t.i.user(t.ann), "application", t.fleet, {{"is_public", true}}));
  for (const auto& l : matrix) {
    const auto root = t.i.model->at(l.resource).root;
    if (root != messages::entity_kind::fleet && root != messages::entity_kind::device) {
      continue;
    }
    const bool visible =
      std::any_of(visible_when_public.begin(), visible_when_public.end(), [&](const char* name) {
        return std::string(name) == l.resource;
      });
    const auto row = t.i.row(l.resource, t.sample.at(l.resource));
    for (const auto& by : {tests::installation::guest(), t.i.user(t.bob), t.i.device(t.stranger)}) {
      INFO(l.resource << " to requester kind " << static_cast<int>(by.kind));
      CHECK(t.rights(by, l.resource, row) == (visible ? "s" : "-"));
    }
  }
}

TEST_CASE("another user's rows are not there at all") {
  two_tenants t;
  const auto bob = t.i.user(t.bob);
  for (const auto& [resource, id] : t.sample) {
    if (t.i.model->at(resource).root == messages::entity_kind::catalog) {
      continue;
    }
    INFO(resource);
    const auto changed = t.i.change(bob, resource, id, {});
    const auto removed = t.i.remove(bob, resource, id);
    CHECK((!changed && changed.error().code == errc::not_found));
    CHECK((!removed && removed.error().code == errc::not_found));
    CHECK(t.i.exists(resource, id));
  }
}

TEST_CASE("candidates of a query leave out nothing that is visible") {
  two_tenants t;
  for (const auto& [who, by] : t.requesters()) {
    const domain::access a(*t.i.model, by, t.i.rows);
    for (const auto& def : t.i.model->resources()) {
      const auto named = a.candidates(def);
      if (!named) {
        continue;
      }
      t.i.rows.scan(def.number, 0, [&](const messages::row& r) {
        INFO(who << " and " << def.name << " " << messages::id_of(r));
        const bool listed =
          std::find(named->begin(), named->end(), messages::id_of(r)) != named->end();
        CHECK((listed || !a.may_see(def, r)));
        return true;
      });
    }
  }
}

TEST_CASE("a device cannot be moved to a fleet that its owner has no right on") {
  two_tenants t;
  const auto moved =
    t.i.change(t.i.user(t.ann), "device", t.device, {{"belongs_to__application", t.other_fleet}});
  REQUIRE_FALSE(moved);
  CHECK(t.i.id_of("device", t.device, "belongs_to__application") == t.fleet);
}

TEST_CASE("a device cannot be moved to somebody else's public fleet either") {
  two_tenants t;
  REQUIRE(t.i.change(t.i.user(t.bob), "application", t.other_fleet, {{"is_public", true}}));
  const auto moved =
    t.i.change(t.i.user(t.ann), "device", t.device, {{"belongs_to__application", t.other_fleet}});
  REQUIRE_FALSE(moved);
  CHECK(t.i.id_of("device", t.device, "belongs_to__application") == t.fleet);
}

TEST_CASE("a release cannot hold an image of another tenant") {
  two_tenants t;
  const auto link = t.i.where("release_image", "is_part_of__release", t.other_release).at(0);
  const auto foreign = t.i.id_of("release_image", link, "image");
  const auto ann = t.i.user(t.ann);
  CHECK_FALSE(
    t.i.create(ann, "release_image", {{"is_part_of__release", t.release}, {"image", foreign}}));
  const auto own = t.sample.at("release_image");
  CHECK_FALSE(t.i.change(ann, "release_image", own, {{"image", foreign}}));
  // A public fleet's images can be seen, and still are not of this fleet.
  REQUIRE(t.i.change(t.i.user(t.bob), "application", t.other_fleet, {{"is_public", true}}));
  CHECK_FALSE(
    t.i.create(ann, "release_image", {{"is_part_of__release", t.release}, {"image", foreign}}));
  CHECK_FALSE(t.i.change(ann, "release_image", own, {{"image", foreign}}));
}

TEST_CASE("a fleet's target and a device's pin cannot be a release of another fleet") {
  two_tenants t;
  const auto ann = t.i.user(t.ann);
  const auto second = t.i.given_fleet(t.ann, "trucks");
  const auto foreign_but_own = t.i.given_release(second);
  for (const auto release : {t.other_release, foreign_but_own}) {
    CHECK_FALSE(t.i.change(ann, "application", t.fleet, {{"should_be_running__release", release}}));
    CHECK_FALSE(t.i.change(ann, "device", t.device, {{"is_pinned_on__release", release}}));
  }
}

TEST_CASE("a row cannot move to another entity, which is not the one that writes it") {
  two_tenants t;
  const auto ann = t.i.user(t.ann);
  const auto second = t.i.given_fleet(t.ann, "trucks");
  const auto service = t.i.given_service(second, "other");
  CHECK_FALSE(t.i.change(ann, "service", t.sample.at("service"), {{"application", second}}));
  CHECK_FALSE(
    t.i.change(ann, "image", t.sample.at("image"), {{"is_a_build_of__service", service}}));
  CHECK_FALSE(
    t.i.change(ann, "application_tag", t.sample.at("application_tag"), {{"application", second}}));
  CHECK_FALSE(t.i.change(
    ann,
    "device_environment_variable",
    t.sample.at("device_environment_variable"),
    {{"device", t.sibling}}));
}

TEST_CASE("an application cannot move to an organization its user is not a member of") {
  two_tenants t;
  const auto there = t.i.organization_of(t.bob);
  CHECK_FALSE(t.i.change(t.i.user(t.ann), "application", t.fleet, {{"organization", there}}));
  CHECK_FALSE(t.i.create(
    t.i.user(t.ann),
    "application",
    {{"app_name", "planes"},
     {"organization", there},
     {"is_for__device_type", t.i.device_type("generic-amd64")}}));
}

TEST_CASE("nobody joins an organization by himself") {
  two_tenants t;
  const auto there = t.i.organization_of(t.bob);
  CHECK_FALSE(t.i.create(
    t.i.user(t.ann),
    "organization_membership",
    {{"user", t.ann}, {"is_member_of__organization", there}}));
  CHECK_FALSE(t.i.change(
    t.i.user(t.ann),
    "organization_membership",
    t.sample.at("organization_membership"),
    {{"is_member_of__organization", there}}));
}

TEST_CASE("what clients may not write cannot be written, whatever a gateway lets through") {
  two_tenants t;
  const auto ann = t.i.user(t.ann);
  CHECK_FALSE(t.i.change(ann, "user", t.ann, {{"is_administrator", true}}));
  CHECK_FALSE(t.i.change(ann, "user", t.ann, {{"actor", std::int64_t{65}}}));
  CHECK_FALSE(t.i.change(ann, "user", t.ann, {{"jwt_secret", "known"}}));
  CHECK_FALSE(t.i.change(
    ann,
    "api_key",
    t.sample.at("api_key"),
    {{"is_of__actor", t.i.id_of("user", t.root, "actor")}}));
  CHECK_FALSE(t.i.change(ann, "api_key", t.sample.at("api_key"), {{"key", "known"}}));
  CHECK_FALSE(t.i.change(ann, "application", t.fleet, {{"slug", "root/cars"}}));
  CHECK_FALSE(t.i.change(ann, "device", t.device, {{"is_online", true}}));
  CHECK_FALSE(t.i.change(t.i.user(t.bob), "user", t.bob, {{"password", "hash of my choice"}}));
}

TEST_CASE("secrets are hidden fields") {
  const auto model = domain::resource_model();
  for (const auto& [resource, name] :
       {std::pair("api_key", "key"),
        std::pair("user", "password"),
        std::pair("user", "jwt_secret")}) {
    const auto& def = model->at(resource);
    CHECK(def.fields[def.field(name)].hidden);
  }
}

TEST_CASE("only an administrator makes and removes users") {
  two_tenants t;
  const tests::named_values carol{{"username", "carol"}, {"password", "a hash"}};
  CHECK_FALSE(t.i.create(t.i.user(t.ann), "user", carol));
  CHECK_FALSE(t.i.create(tests::installation::guest(), "user", carol));
  CHECK_FALSE(t.i.remove(t.i.user(t.ann), "user", t.ann));
  CHECK(t.i.create(t.i.user(t.root), "user", carol));
}

TEST_CASE("a device key tells of its device, and not which fleet it is in") {
  two_tenants t;
  const auto by = t.i.device(t.device);
  CHECK(t.i.change(by, "device", t.device, {{"note", "hello"}}));
  CHECK_FALSE(t.i.change(by, "device", t.device, {{"belongs_to__application", t.other_fleet}}));
  CHECK_FALSE(t.i.change(by, "device", t.device, {{"is_active", false}}));
  CHECK_FALSE(t.i.change(by, "device", t.sibling, {{"note", "hello"}}));
  CHECK_FALSE(
    t.i.create(by, "device_tag", {{"device", t.sibling}, {"tag_key", "k"}, {"value", ""}}));
  CHECK_FALSE(t.i.remove(by, "device", t.device));
}

TEST_CASE("keys are made by a login session, and for devices by their fleet's provisioning key") {
  const two_tenants t;
  const messages::entity_ref ann{messages::entity_kind::user, t.ann};
  const messages::entity_ref fleet{messages::entity_kind::fleet, t.fleet};
  const messages::entity_ref device{messages::entity_kind::device, t.device};
  const messages::entity_ref stranger{messages::entity_kind::device, t.stranger};
  const auto may = [&](const requester& by, messages::entity_ref owner) {
    return domain::access(*t.i.model, by, t.i.rows).may_make_key(owner);
  };
  CHECK(may(t.i.user(t.ann), ann));
  CHECK_FALSE(may(t.i.user_by_key(t.ann), ann));
  CHECK_FALSE(may(t.i.user(t.bob), ann));
  CHECK_FALSE(may(t.i.user(t.root), ann));
  CHECK(may(t.i.user(t.ann), fleet));
  CHECK(may(t.i.user(t.ann), device));
  CHECK_FALSE(may(t.i.user(t.bob), fleet));
  CHECK_FALSE(may(t.i.user(t.bob), device));
  CHECK(may(t.i.provisioning_key(t.fleet), device));
  CHECK_FALSE(may(t.i.provisioning_key(t.fleet), stranger));
  CHECK_FALSE(may(t.i.provisioning_key(t.fleet), fleet));
  CHECK_FALSE(may(t.i.device(t.device), device));
  CHECK_FALSE(may(tests::installation::guest(), device));
}

TEST_CASE("a user's key cannot prolong, rename or revoke the user's keys") {
  two_tenants t;
  const auto key = t.sample.at("api_key");
  CHECK_FALSE(t.i.change(t.i.user_by_key(t.ann), "api_key", key, {{"expiry_date", t.i.now}}));
  CHECK_FALSE(t.i.remove(t.i.user_by_key(t.ann), "api_key", key));
  CHECK(t.i.change(t.i.user(t.ann), "api_key", key, {{"name", "renamed"}}));
  CHECK(t.i.remove(t.i.user(t.ann), "api_key", key));
}

TEST_CASE("what is done with a fleet, its devices and images follows the right on them") {
  using domain::action;
  const two_tenants t;
  const auto may = [&](const requester& by, action a, const char* resource) {
    const auto& def = t.i.model->at(resource);
    const auto row = t.i.row(resource, t.sample.at(resource));
    return domain::access(*t.i.model, by, t.i.rows).may_do(a, def, row);
  };
  for (const auto a : {action::read_logs, action::inspect, action::control, action::tunnel}) {
    CHECK(may(t.i.user(t.ann), a, "device"));
    CHECK(may(t.i.user(t.root), a, "device"));
    CHECK_FALSE(may(t.i.user(t.bob), a, "device"));
    CHECK_FALSE(may(t.i.device(t.device), a, "device"));
    CHECK_FALSE(may(t.i.provisioning_key(t.fleet), a, "device"));
    CHECK_FALSE(may(tests::installation::guest(), a, "device"));
  }
  for (const auto a : {action::write_logs, action::report_state, action::read_state}) {
    CHECK(may(t.i.device(t.device), a, "device"));
    CHECK_FALSE(may(t.i.device(t.sibling), a, "device"));
    CHECK_FALSE(may(t.i.provisioning_key(t.fleet), a, "device"));
  }
  CHECK(may(t.i.provisioning_key(t.fleet), action::register_device, "application"));
  CHECK_FALSE(may(t.i.provisioning_key(t.other_fleet), action::register_device, "application"));
  CHECK_FALSE(may(t.i.device(t.device), action::register_device, "application"));
  CHECK(may(t.i.device(t.sibling), action::pull_image, "image"));
  CHECK_FALSE(may(t.i.device(t.stranger), action::pull_image, "image"));
  CHECK_FALSE(may(t.i.device(t.device), action::push_image, "image"));
  CHECK(may(t.i.user(t.ann), action::push_image, "image"));
}
