#pragma once

#include "messages/fields.hpp"

#include <cstdint>

/// Field numbers of the resources that rules and gateways work with, looked up by name once. `resource` is the resource's own.
namespace slipway::domain::numbers {

using number = std::uint16_t;

struct user {
  number resource = 0;
  number actor = 0, username = 0, email = 0, password = 0, jwt_secret = 0, is_administrator = 0,
         two_factor_secret = 0, has_two_factor_enabled = 0, two_factor_last_step = 0,
         username_key = 0, email_key = 0, two_factor_recovery_codes = 0;
  SLIPWAY_FIELDS(
    actor,
    username,
    email,
    password,
    jwt_secret,
    is_administrator,
    two_factor_secret,
    has_two_factor_enabled,
    two_factor_last_step,
    username_key,
    email_key,
    two_factor_recovery_codes)
};

struct login_session {
  number resource = 0;
  number user = 0, authenticated_at = 0, expires_at = 0, client = 0, address = 0;
  SLIPWAY_FIELDS(user, authenticated_at, expires_at, client, address)
};

struct api_key {
  number resource = 0;
  number key = 0, is_of__actor = 0, name = 0, description = 0, expiry_date = 0, scope = 0,
         remaining_uses = 0;
  SLIPWAY_FIELDS(key, is_of__actor, name, description, expiry_date, scope, remaining_uses)
};

struct organization {
  number resource = 0;
  number name = 0, handle = 0;
  SLIPWAY_FIELDS(name, handle)
};

struct organization_membership {
  number resource = 0;
  number user = 0, is_member_of__organization = 0, organization_membership_role = 0, username = 0;
  SLIPWAY_FIELDS(user, is_member_of__organization, organization_membership_role, username)
};

struct user_public_key {
  number resource = 0;
  number user = 0, title = 0, public_key = 0;
  SLIPWAY_FIELDS(user, title, public_key)
};

/// Of an organization or of an application: both have the same two.
struct membership_role {
  number resource = 0;
  number name = 0, description = 0;
  SLIPWAY_FIELDS(name, description)
};

struct invitee {
  number resource = 0;
  number email = 0;
  SLIPWAY_FIELDS(email)
};

struct organization_invite {
  number resource = 0;
  number invitee = 0, is_invited_to__organization = 0, organization_membership_role = 0,
         message = 0, is_created_by__user = 0, token = 0, expiry_date = 0;
  SLIPWAY_FIELDS(
    invitee,
    is_invited_to__organization,
    organization_membership_role,
    message,
    is_created_by__user,
    token,
    expiry_date)
};

struct application_invite {
  number resource = 0;
  number invitee = 0, is_invited_to__application = 0, application_membership_role = 0, message = 0,
         is_created_by__user = 0, token = 0, expiry_date = 0;
  SLIPWAY_FIELDS(
    invitee,
    is_invited_to__application,
    application_membership_role,
    message,
    is_created_by__user,
    token,
    expiry_date)
};

struct team {
  number resource = 0;
  number belongs_to__organization = 0, name = 0;
  SLIPWAY_FIELDS(belongs_to__organization, name)
};

struct team_membership {
  number resource = 0;
  number user = 0, is_member_of__team = 0, username = 0;
  SLIPWAY_FIELDS(user, is_member_of__team, username)
};

struct team_application_access {
  number resource = 0;
  number team = 0, grants_access_to__application = 0, application_membership_role = 0;
  SLIPWAY_FIELDS(team, grants_access_to__application, application_membership_role)
};

struct user_application_membership {
  number resource = 0;
  number user = 0, is_member_of__application = 0, application_membership_role = 0, username = 0;
  SLIPWAY_FIELDS(user, is_member_of__application, application_membership_role, username)
};

struct application {
  number resource = 0;
  number actor = 0, app_name = 0, slug = 0, uuid = 0, organization = 0, is_for__device_type = 0,
         application_type = 0, should_track_latest_release = 0, should_be_running__release = 0,
         is_of__class = 0, is_host = 0, is_archived = 0, is_public = 0,
         is_updated_by__application = 0, release_branch = 0;
  SLIPWAY_FIELDS(
    actor,
    app_name,
    slug,
    uuid,
    organization,
    is_for__device_type,
    application_type,
    should_track_latest_release,
    should_be_running__release,
    is_of__class,
    is_host,
    is_archived,
    is_public,
    is_updated_by__application,
    release_branch)
};

struct device_type {
  number resource = 0;
  number slug = 0, name = 0, contract = 0, is_of__cpu_architecture = 0,
         belongs_to__device_family = 0;
  SLIPWAY_FIELDS(slug, name, contract, is_of__cpu_architecture, belongs_to__device_family)
};

struct device_type_alias {
  number resource = 0;
  number device_type = 0, is_referenced_by__alias = 0;
  SLIPWAY_FIELDS(device_type, is_referenced_by__alias)
};

/// A family or a manufacturer of device types.
struct device_family {
  number resource = 0;
  number slug = 0, name = 0, is_manufactured_by__device_manufacturer = 0;
  SLIPWAY_FIELDS(slug, name, is_manufactured_by__device_manufacturer)
};

struct device_manufacturer {
  number resource = 0;
  number slug = 0, name = 0;
  SLIPWAY_FIELDS(slug, name)
};

struct application_profile {
  number resource = 0;
  number application = 0, activates__profile_name = 0, on__application = 0;
  SLIPWAY_FIELDS(application, activates__profile_name, on__application)
};

struct service {
  number resource = 0;
  number application = 0, service_name = 0;
  SLIPWAY_FIELDS(application, service_name)
};

struct release {
  number resource = 0;
  number belongs_to__application = 0, commit = 0, composition = 0, contract = 0, status = 0,
         source = 0, build_log = 0, start_timestamp = 0, end_timestamp = 0, is_created_by__user = 0,
         update_timestamp = 0, is_passing_tests = 0, is_invalidated = 0, is_finalized_at__date = 0,
         semver_major = 0, semver_minor = 0, semver_patch = 0, semver_prerelease = 0,
         semver_build = 0, variant = 0, revision = 0, semver = 0, is_final = 0, release_version = 0;
  SLIPWAY_FIELDS(
    belongs_to__application,
    commit,
    composition,
    contract,
    status,
    source,
    build_log,
    start_timestamp,
    end_timestamp,
    is_created_by__user,
    update_timestamp,
    is_passing_tests,
    is_invalidated,
    is_finalized_at__date,
    semver_major,
    semver_minor,
    semver_patch,
    semver_prerelease,
    semver_build,
    variant,
    revision,
    semver,
    is_final,
    release_version)
};

struct image {
  number resource = 0;
  number is_a_build_of__service = 0, status = 0, push_timestamp = 0,
         is_stored_at__image_location = 0, content_hash = 0, contract = 0, start_timestamp = 0,
         end_timestamp = 0, image_size = 0, project_type = 0, dockerfile = 0, error_message = 0,
         build_log = 0;
  SLIPWAY_FIELDS(
    is_a_build_of__service,
    status,
    push_timestamp,
    is_stored_at__image_location,
    content_hash,
    contract,
    start_timestamp,
    end_timestamp,
    image_size,
    project_type,
    dockerfile,
    error_message,
    build_log)
};

struct release_image {
  number resource = 0;
  number image = 0, is_part_of__release = 0;
  SLIPWAY_FIELDS(image, is_part_of__release)
};

struct image_profile {
  number resource = 0;
  number release_image = 0, profile_name = 0;
  SLIPWAY_FIELDS(release_image, profile_name)
};

/// A build worker that may join.
struct builder {
  number resource = 0;
  number name = 0, public_key = 0;
  SLIPWAY_FIELDS(name, public_key)
};

struct build {
  number resource = 0;
  number release = 0, status = 0, source = 0, git_ref = 0, worker = 0, attempt = 0,
         start_timestamp = 0, end_timestamp = 0, error_message = 0, services = 0;
  SLIPWAY_FIELDS(
    release,
    status,
    source,
    git_ref,
    worker,
    attempt,
    start_timestamp,
    end_timestamp,
    error_message,
    services)
};

struct release_asset {
  number resource = 0;
  number release = 0, asset_key = 0, asset = 0, upload = 0;
  SLIPWAY_FIELDS(release, asset_key, asset, upload)
};

/// Variables, labels and tags all have the same three: the parent, the key, the value.
struct keyed {
  number resource = 0;
  number parent = 3, key = 4, value = 5;
};

struct device {
  number resource = 0;
  number actor = 0, uuid = 0, device_name = 0, is_of__device_type = 0, belongs_to__application = 0,
         is_online = 0, last_connectivity_event = 0, is_connected_to_vpn = 0, last_vpn_event = 0,
         api_heartbeat_state = 0, changed_api_heartbeat_state_on__date = 0, ip_address = 0,
         mac_address = 0, os_version = 0, os_variant = 0, supervisor_version = 0, status = 0,
         provisioning_state = 0, provisioning_progress = 0, download_progress = 0,
         update_status = 0, last_update_status_event = 0, is_running__release = 0,
         is_pinned_on__release = 0, should_be_operated_by__release = 0,
         should_be_managed_by__release = 0, is_active = 0, overlay_public_key = 0,
         presence_edge = 0, presence_epoch = 0;
  SLIPWAY_FIELDS(
    actor,
    uuid,
    device_name,
    is_of__device_type,
    belongs_to__application,
    is_online,
    last_connectivity_event,
    is_connected_to_vpn,
    last_vpn_event,
    api_heartbeat_state,
    changed_api_heartbeat_state_on__date,
    ip_address,
    mac_address,
    os_version,
    os_variant,
    supervisor_version,
    status,
    provisioning_state,
    provisioning_progress,
    download_progress,
    update_status,
    last_update_status_event,
    is_running__release,
    is_pinned_on__release,
    should_be_operated_by__release,
    should_be_managed_by__release,
    is_active,
    overlay_public_key,
    presence_edge,
    presence_epoch)
};

struct image_install {
  number resource = 0;
  number device = 0, installs__image = 0, is_provided_by__release = 0, install_date = 0,
         download_progress = 0, status = 0;
  SLIPWAY_FIELDS(
    device,
    installs__image,
    is_provided_by__release,
    install_date,
    download_progress,
    status)
};

struct service_install {
  number resource = 0;
  number device = 0, installs__service = 0;
  SLIPWAY_FIELDS(device, installs__service)
};

/// All of them. Loaded from the resource model at first use.
struct table {
  numbers::user user;
  numbers::login_session login_session;
  numbers::api_key api_key;
  numbers::organization organization;
  numbers::organization_membership organization_membership;
  numbers::user_public_key user_public_key;
  numbers::membership_role organization_membership_role, application_membership_role;
  numbers::invitee invitee;
  numbers::organization_invite organization_invite;
  numbers::application_invite application_invite;
  numbers::team team;
  numbers::team_membership team_membership;
  numbers::team_application_access team_application_access;
  numbers::user_application_membership user_application_membership;
  numbers::device_family device_family;
  numbers::device_manufacturer device_manufacturer;
  numbers::device_type device_type;
  numbers::device_type_alias device_type_alias;
  number cpu_architecture = 0, application_type = 0;
  numbers::application application;
  numbers::application_profile application_profile;
  numbers::service service;
  numbers::release release;
  numbers::image image;
  numbers::release_image release_image;
  numbers::image_profile image_profile;
  numbers::builder builder;
  numbers::build build;
  numbers::release_asset release_asset;
  keyed image_label, image_environment_variable, application_environment_variable,
    application_config_variable, service_environment_variable, service_label, application_tag,
    release_tag, build_environment_variable, organization_membership_tag,
    device_environment_variable, device_config_variable, device_service_environment_variable,
    device_tag;
  numbers::device device;
  numbers::image_install image_install;
  numbers::service_install service_install;
};

[[nodiscard]] const table& get();

}  // namespace slipway::domain::numbers
