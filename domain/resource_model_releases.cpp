#include "domain/build_life.hpp"
#include "domain/model_building.hpp"
#include "domain/release_version.hpp"
#include "domain/row_source.hpp"

namespace slipway::domain::building {
namespace {

const std::vector<std::string>
  build_states{"running", "success", "failed", "error", "cancelled", "interrupted"};

resource_def release() {
  return resource(
    22,
    "release",
    {},
    entity_kind::fleet,
    {"belongs_to__application"},
    {ref("belongs_to__application", "application").required().back({"owns__release", "release"}),
     text("commit").required().indexed().max(40),
     json("composition").target(),
     json("contract"),
     text("status").required().otherwise("running").one_of(build_states),
     text("source").required().otherwise("cloud").one_of({"cloud", "local"}),
     long_text("build_log"),
     long_text("note"),
     date("start_timestamp").required(),
     date("end_timestamp"),
     date("update_timestamp"),
     text("release_version"),
     flag("is_passing_tests", true),
     flag("is_invalidated", false),
     text("invalidation_reason"),
     text("known_issue_list").max(1000),
     date("is_finalized_at__date").read_only(),
     text("phase").one_of({"next", "current", "sunset", "end-of-life"}),
     integer("semver_major").required().otherwise(std::int64_t{0}),
     integer("semver_minor").required().otherwise(std::int64_t{0}),
     integer("semver_patch").required().otherwise(std::int64_t{0}),
     text("semver_prerelease").otherwise(""),
     text("semver_build").otherwise(""),
     text("variant").otherwise(""),
     integer("revision").read_only(),
     ref("is_created_by__user", "user").back({"creates__release"}),
     text("semver").computed([](const row& r, const row_source&) { return value(semver_text(r)); }),
     text("raw_version").read_only().computed([](const row& r, const row_source&) {
       return value(raw_version(r));
     }),
     json("version").read_only().computed(
       [](const row& r, const row_source&) { return value(version_json(r)); }),
     boolean("is_final").computed([](const row& r, const row_source&) {
       return value(is_final(r));
     })},
    {{first_composite, {3, 4}, false}});
}

resource_def image() {
  return resource(
    23,
    "image",
    {},
    entity_kind::fleet,
    {"is_a_build_of__service", "application"},
    {ref("is_a_build_of__service", "service").required().back({"is_built_by__image", "image"}),
     date("start_timestamp").required(),
     date("end_timestamp"),
     date("push_timestamp"),
     text("status").required().otherwise("running").one_of(build_states),
     text("is_stored_at__image_location").read_only().unique().target(),
     text("content_hash").max(71).target(),
     describe("image_size", field_type::big_integer),
     text("project_type"),
     long_text("dockerfile"),
     long_text("error_message").max(300'000),
     long_text("build_log").max(1'500'000),
     json("contract").target()});
}

/// Written by the platform alone (domain/build_rules.cpp); what clients may do is to cancel the release.
resource_def build() {
  return resource(
    55,
    "build",
    {},
    entity_kind::fleet,
    {"release", "belongs_to__application"},
    {ref("release", "release").required().read_only().back({"build"}),
     text("status").required().read_only().indexed().one_of(
       {build_status::all.begin(), build_status::all.end()}),
     text("source").required().read_only().one_of({"push", "git", "url"}),
     text("git_ref").read_only(),
     text("worker").read_only(),
     integer("attempt").read_only(),
     date("start_timestamp").read_only(),
     date("end_timestamp").read_only(),
     text("error_message").read_only(),
     // [{name, status, image_bytes, started, ended, cached, error}]
     json("services").read_only()});
}

}  // namespace

std::vector<resource_def> releases() {
  const auto root = entity_kind::fleet;
  const std::vector<std::string> from_link{
    "release_image",
    "is_part_of__release",
    "belongs_to__application"};
  return {
    release(),
    image(),
    build(),
    resource(
      24,
      "release_image",
      {"image__is_part_of__release"},
      root,
      {"is_part_of__release", "belongs_to__application"},
      {ref("image", "image")
         .also({"contains__image"})
         .required()
         .target()
         .back({"release_image", "image__is_part_of__release", "is_part_of__release"}),
       ref("is_part_of__release", "release")
         .also({"release"})
         .required()
         .target()
         .back({"release_image", "contains__image", "image__is_part_of__release"})},
      {{first_composite, {3, 4}, true}}),
    keyed(
      {25,
       "image_label",
       {"release_image__has__label_name", "image__is_part_of__release__has__label_name"},
       root,
       from_link,
       "release_image",
       "label_name",
       255,
       300}),
    keyed(
      {26,
       "image_environment_variable",
       {"release_image__has__name", "image__is_part_of__release__has__name"},
       root,
       from_link,
       "release_image"}),
    resource(
      34,
      "image_profile",
      {"release_image__has__profile_name", "image__is_part_of__release__has__profile_name"},
      root,
      from_link,
      {ref("release_image", "release_image")
         .required()
         .target()
         .back(
           {"image_profile",
            "release_image__has__profile_name",
            "image__is_part_of__release__has__profile_name"}),
       text("profile_name").required().target()},
      {{first_composite, {3, 4}, true}}),
    keyed(
      {32,
       "release_tag",
       {"release__has__tag_key"},
       root,
       {"release", "belongs_to__application"},
       "release",
       "tag_key",
       100,
       1000,
       false}),
    resource(
      35,
      "release_asset",
      {"release__has__asset_key"},
      root,
      {"release", "belongs_to__application"},
      {ref("release", "release").required().back({"release_asset", "release__has__asset_key"}),
       text("asset_key").required(),
       // What clients read of the file: {filename, href, content_type, content_disposition?, size}. Its bytes come by other requests.
       json("asset").read_only(),
       // The upload in parts that is under way.
       json("upload").hidden()},
      {{first_composite, {3, 4}, true}}),
  };
}

}  // namespace slipway::domain::building
