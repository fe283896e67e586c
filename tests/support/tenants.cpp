#include "tests/support/tenants.hpp"

#include "runtime/assert.hpp"

namespace slipway::tests {

using messages::role;
using messages::value;

namespace {

const std::vector<std::string> organization_roles{
  "administrator",
  "developer",
  "operator",
  "observer",
  "member"};
const std::vector<std::string> fleet_roles{"administrator", "developer", "operator", "observer"};

role role_by(const std::string& name) {
  return name == "administrator" ? role::administrator
         : name == "developer"   ? role::developer
         : name == "operator"    ? role::operator_
         : name == "observer"    ? role::observer
                                 : role::member;
}

}  // namespace

tenants::tenants()
  : root(i.given_administrator("root")),
    owner(i.given_user("owner")),
    mia(i.given_user("mia")),
    bob(i.given_user("bob")),
    organization(i.organization_of(owner)),
    fleet(i.given_fleet(owner, "cars")),
    second_fleet(i.given_fleet(owner, "vans")),
    other_fleet(i.given_fleet(bob, "boats")),
    release(i.given_release(fleet)),
    other_release(i.given_release(other_fleet)),
    device(i.given_device(fleet)),
    sibling(i.given_device(fleet)),
    stranger(i.given_device(other_fleet)) {
  given_members();
  given_of_catalog();
  given_of_user();
  given_of_organization();
  given_of_fleet();
  given_of_release();
  given_of_device();
}

std::int64_t tenants::role(const char* resource, const std::string& name) const {
  return i.where(resource, "name", name).at(0);
}

void tenants::given_members() {
  const auto join = [&](std::int64_t user, const std::string& as) {
    return i.given(
      "organization_membership",
      {{"user", user},
       {"is_member_of__organization", organization},
       {"organization_membership_role", role("organization_membership_role", as)}});
  };
  by_organization_role["administrator"] = owner;
  sample["organization_membership"] = join(mia, "member");
  for (const auto& name : organization_roles) {
    if (name != "administrator") {
      by_organization_role[name] = i.given_user("of_organization." + name);
      join(by_organization_role[name], name);
    }
  }
  for (const auto& name : fleet_roles) {
    const auto user = by_fleet_role[name] = i.given_user("of_fleet." + name);
    join(user, "member");
    sample["user_application_membership"] = i.given(
      "user_application_membership",
      {{"user", user},
       {"is_member_of__application", fleet},
       {"application_membership_role", role("application_membership_role", name)}});
  }
}

std::int64_t
tenants::given_key(messages::entity_ref of, std::int64_t actor, const std::string& hash) {
  messages::add_key cmd;
  cmd.by = installation::platform();
  cmd.of_actor = actor;
  cmd.key_hash = hash;
  cmd.name = "a key";
  return i.tell(of, cmd).value();
}

void tenants::given_of_catalog() {
  for (const auto& resource : i.model->resources()) {
    if (resource.root != messages::entity_kind::catalog) {
      continue;
    }
    i.rows.scan(resource.number, 0, [&](const messages::row& r) {
      sample[resource.name] = messages::id_of(r);
      return false;
    });
  }
  if (sample.find("device_manufacturer") == sample.end()) {
    sample["device_manufacturer"] =
      i.given("device_manufacturer", {{"slug", "maker"}, {"name", "Maker"}});
  }
  if (sample.find("device_family") == sample.end()) {
    sample["device_family"] = i.given("device_family", {{"slug", "family"}, {"name", "Family"}});
  }
}

void tenants::given_of_user() {
  sample["user"] = mia;
  sample["api_key"] =
    given_key({messages::entity_kind::user, mia}, i.id_of("user", mia, "actor"), "of mia");
  sample["user_public_key"] = i.given(
    "user_public_key",
    {{"user", mia},
     {"title", "laptop"},
     {"public_key",
      "ssh-ed25519 "
      "AAAAC3NzaC1lZDI1NTE5AAAAICnjLNMSqHPvltDpS/8HxG8LKkgPp/Yo97TT+5Pa8wM2 mia"}});
  sample["login_session"] = i.given(
    "login_session",
    {{"user", mia}, {"authenticated_at", i.now}, {"expires_at", i.now + 1000}});
}

void tenants::given_of_organization() {
  sample["organization"] = organization;
  sample["organization_membership_tag"] = i.given(
    "organization_membership_tag",
    {{"organization_membership", sample.at("organization_membership")},
     {"tag_key", "t"},
     {"value", "v"}});
  sample["team"] =
    i.given("team", {{"belongs_to__organization", organization}, {"name", "drivers"}});
  sample["team_membership"] = i.given(
    "team_membership",
    {{"user", by_fleet_role.at("observer")}, {"is_member_of__team", sample.at("team")}});
  sample["team_application_access"] = i.given(
    "team_application_access",
    {{"team", sample.at("team")},
     {"grants_access_to__application", fleet},
     {"application_membership_role", role("application_membership_role", "observer")}});
  const auto invite = [&](const char* resource, const char* to, std::int64_t id) {
    sample[resource] = i.given(
      resource,
      {{to, id}, {"invitee", "new@example.org"}, {"token", std::string("hash of ") + to}});
  };
  invite("invitee__is_invited_to__organization", "is_invited_to__organization", organization);
  invite("invitee__is_invited_to__application", "is_invited_to__application", fleet);
  sample["invitee"] = i.id_of(
    "invitee__is_invited_to__organization",
    sample.at("invitee__is_invited_to__organization"),
    "invitee");
}

void tenants::given_of_fleet() {
  sample["application"] = fleet;
  fleet_key = given_key(
    {messages::entity_kind::fleet, fleet},
    i.id_of("application", fleet, "actor"),
    "of the fleet");
  const auto service = sample["service"] = i.given_service(fleet, "main");
  const auto keyed = [&](const char* name, const char* parent, std::int64_t id, const char* key) {
    sample[name] = i.given(name, {{parent, id}, {key, "NAME"}, {"value", "v"}});
  };
  keyed("application_environment_variable", "application", fleet, "name");
  keyed("build_environment_variable", "application", fleet, "name");
  keyed("service_environment_variable", "service", service, "name");
  keyed("service_label", "service", service, "label_name");
  keyed("application_tag", "application", fleet, "tag_key");
  sample["application_config_variable"] = i.given(
    "application_config_variable",
    {{"application", fleet}, {"name", "RESIN_X"}, {"value", "1"}});
  sample["application_profile"] = i.given(
    "application_profile",
    {{"application", fleet}, {"on__application", fleet}, {"activates__profile_name", "debug"}});
}

void tenants::given_of_release() {
  sample["release"] = release;
  const auto link = sample["release_image"] =
    i.where("release_image", "is_part_of__release", release).at(0);
  sample["image"] = i.id_of("release_image", link, "image");
  const auto keyed = [&](const char* name, const char* parent, std::int64_t id, const char* key) {
    sample[name] = i.given(name, {{parent, id}, {key, "NAME"}, {"value", "v"}});
  };
  keyed("image_label", "release_image", link, "label_name");
  keyed("image_environment_variable", "release_image", link, "name");
  keyed("release_tag", "release", release, "tag_key");
  sample["image_profile"] =
    i.given("image_profile", {{"release_image", link}, {"profile_name", "debug"}});
  sample["release_asset"] = i.given("release_asset", {{"release", release}, {"asset_key", "a"}});
  sample["build"] =
    i.given("build", {{"release", release}, {"source", "push"}, {"status", "queued"}});
}

void tenants::given_of_device() {
  sample["device"] = device;
  device_key = given_key(
    {messages::entity_kind::device, device},
    i.id_of("device", device, "actor"),
    "of the device");
  const auto install = sample["service_install"] =
    i.where("service_install", "device", device).at(0);
  sample["image_install"] = i.given(
    "image_install",
    {{"device", device},
     {"installs__image", sample.at("image")},
     {"is_provided_by__release", release},
     {"install_date", i.now},
     {"status", "Running"}});
  sample["device_environment_variable"] =
    i.given("device_environment_variable", {{"device", device}, {"name", "NAME"}, {"value", "v"}});
  sample["device_config_variable"] =
    i.given("device_config_variable", {{"device", device}, {"name", "RESIN_X"}, {"value", "1"}});
  sample["device_service_environment_variable"] = i.given(
    "device_service_environment_variable",
    {{"service_install", install}, {"name", "NAME"}, {"value", "v"}});
  sample["device_tag"] =
    i.given("device_tag", {{"device", device}, {"tag_key", "t"}, {"value", "v"}});
}

std::vector<asker> askers(const tenants& t) {
  std::vector<asker> out;
  out.push_back({"nobody", installation::guest()});
  out.push_back({"a platform administrator", t.i.user(t.root)});
  out.push_back({"a user of another organization", t.i.user(t.bob)});
  for (const auto& [name, user] : t.by_organization_role) {
    const auto as = role_by(name);
    out.push_back(
      {name + " of the organization", t.i.user(user), as, as == role::member ? role::none : as});
  }
  for (const auto& [name, user] : t.by_fleet_role) {
    out.push_back({name + " of the fleet", t.i.user(user), role::member, role_by(name)});
  }
  out.push_back({"the user himself", t.i.user(t.mia), role::member, role::none, true});
  out.push_back({"his API key", t.i.user_by_key(t.mia), role::member, role::none, true});
  out.push_back({"the device's key", t.i.device(t.device)});
  out.push_back({"a key of another device of the fleet", t.i.device(t.sibling)});
  out.push_back({"a key of another fleet's device", t.i.device(t.stranger)});
  out.push_back({"the fleet's provisioning key", t.i.provisioning_key(t.fleet)});
  out.push_back({"another fleet's provisioning key", t.i.provisioning_key(t.other_fleet)});
  return out;
}

}  // namespace slipway::tests
