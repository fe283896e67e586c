#include "domain/access.hpp"
#include "domain/model_building.hpp"
#include "domain/numbers.hpp"
#include "domain/row_source.hpp"

namespace slipway::domain::building {
namespace {

// `application.is_directly_accessible_by__user`: who asks, when it has a role on the fleet and does not only see it as everybody does.
std::vector<std::int64_t>
direct_users(const row& r, const messages::requester& by, const row_source&) {
  const auto& a = numbers::get().application;
  const auto organization = messages::as_int(messages::field(r, a.organization));
  return role_on(by, organization, messages::id_of(r)) != messages::role::none
           ? std::vector{by.id}
           : std::vector<std::int64_t>{};
}

resource_def application() {
  return resource(
    20,
    "application",
    {},
    entity_kind::fleet,
    {},
    {ref("actor", "actor").read_only(),
     text("app_name").required().indexed().target(),
     text("slug").read_only().unique(),
     text("uuid").unique().max(64),
     ref("organization", "organization")
       .required()
       .back({"application", "owns__application", "is_of__application"}),
     ref("is_for__device_type", "device_type")
       .required()
       .back({"is_default_for__application", "application"}),
     ref("application_type", "application_type").back({"application", "is_of__application"}),
     flag("should_track_latest_release", true),
     ref("should_be_running__release", "release")
       .target()
       .back({"should_be_running_on__application"}),
     text("is_of__class").required().otherwise("fleet").one_of({"fleet", "block", "app"}),
     flag("is_host", false),
     flag("is_archived", false),
     flag("is_public", false),
     date("is_accessible_by_support_until__date"),
     // Of a host application: the block that updates it.
     ref("is_updated_by__application", "application").back({"updates__application"}),
     // Pushes to this branch of its repository are built; null = main or master.
     text("release_branch").max(255)},
    {{first_composite, {7, 4}, false}},
    {{{"is_directly_accessible_by__user"}, 2, 0, false, direct_users}});
}

}  // namespace

std::vector<resource_def> fleets() {
  const auto root = entity_kind::fleet;
  return {
    application(),
    resource(
      21,
      "service",
      {"application__has__service_name"},
      root,
      {"application"},
      {ref("application", "application")
         .required()
         .back({"service", "application__has__service_name"}),
       text("service_name").required().max(63).target()},
      {{first_composite, {3, 4}, true}}),
    keyed(
      {27,
       "application_environment_variable",
       {"application__has__env_var_name"},
       root,
       {"application"},
       "application"}),
    keyed(
      {28,
       "application_config_variable",
       {"application__has__config_var_name"},
       root,
       {"application"},
       "application"}),
    keyed(
      {29,
       "service_environment_variable",
       {"service__has__name", "application__has__service_name__has__name"},
       root,
       {"service", "application"},
       "service"}),
    keyed(
      {30,
       "service_label",
       {"service__has__label_name", "application__has__service_name__has__label_name"},
       root,
       {"service", "application"},
       "service",
       "label_name"}),
    keyed(
      {31,
       "application_tag",
       {"application__has__tag_key"},
       root,
       {"application"},
       "application",
       "tag_key",
       100,
       1000,
       false}),
    keyed(
      {36,
       "build_environment_variable",
       {"application__has__build_var_name"},
       root,
       {"application"},
       "application",
       "name",
       255,
       100'000,
       false}),
    resource(
      33,
      "application_profile",
      {"application__activates__profile_name__on__application"},
      root,
      {"application"},
      {ref("application", "application")
         .required()
         .target()
         .back({"application_profile", "application__activates__profile_name__on__application"}),
       text("activates__profile_name").required().target(),
       ref("on__application", "application")
         .required()
         .target()
         .back({"is_activated_by__application_profile"})},
      {{first_composite, {3, 4, 5}, true}}),
  };
}

}  // namespace slipway::domain::building
