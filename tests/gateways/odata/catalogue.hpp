#pragma once

#include <array>
#include <string_view>

namespace slipway::tests::odata {

/// What clients ask (balena-api.md 4.7 to 4.13), of the resources that there are. Decoded, as the catalogue writes it.
constexpr std::array catalogue{
#define SLIPWAY_DA "is_directly_accessible_by__user/any(dau:1 eq 1)"
#define SLIPWAY_SU "slug eq 'o/f' or uuid eq 'o/f'"
#define SLIPWAY_U "0123456789abcdef0123456789abcdef"
#define SLIPWAY_SVC                                                                              \
  "image_install($select=id,download_progress,status,install_date;$filter=status ne 'deleted';"  \
  "$expand=installs__image($select=id;$expand=is_a_build_of__service($select=id,service_name))," \
  "is_provided_by__release($select=id,commit,raw_version;"                                       \
  "$expand=belongs_to__application($select=slug)))"
#define SLIPWAY_LIST                                                                 \
  "belongs_to__application($select=app_name,slug),is_of__device_type($select=slug)," \
  "is_running__release($select=commit)"
  // Organizations and fleets.
  std::string_view{"organization?$orderby=name asc&$select=name,handle"
                   "&$filter=organization_membership/any(orm:orm/user eq 1)"},
  std::string_view{"organization(handle='H')?$select=id"},
  std::string_view{"organization(handle='H')?$select=id,name"},
  std::string_view{"organization(2)?$select=id"},
  std::string_view{"organization(id=2)?$select=id"},
  std::string_view{"organization?$orderby=name asc"},
  std::string_view{"organization_membership(3)"},
  std::string_view{"organization_membership?$filter=is_member_of__organization eq 2"},
  std::string_view{"device_type?$orderby=name asc&$select=id&$top=1"
                   "&$filter=device_type_alias/any(dta:dta/is_referenced_by__alias eq 'T')"},
  std::string_view{"application?$filter=" SLIPWAY_DA
                   "&$orderby=app_name asc&$select=id,app_name,slug"
                   "&$expand=is_for__device_type($select=slug),owns__device($select=is_online)"},
  std::string_view{"application?$filter=" SLIPWAY_DA " and (" SLIPWAY_SU
                   ")&$expand=is_for__device_type($select=slug),"
                   "should_be_running__release($select=commit)"},
  std::string_view{"application?$filter=" SLIPWAY_DA " and app_name eq 'f'"},
  std::string_view{"application?$filter=" SLIPWAY_SU
                   "&$select=id,app_name,slug&$expand=application_type($select=slug)"},
  std::string_view{"application(7)?$select=id"},
  std::string_view{"application(7)?$filter=" SLIPWAY_DA "&$select=app_name,slug"},
  std::string_view{"application?$filter=" SLIPWAY_SU "&$select=id"},
  std::string_view{"application?$filter=" SLIPWAY_SU
                   "&$expand=should_be_running__release($select=commit)"},
  std::string_view{"release?$filter=commit eq 'C' and belongs_to__application eq 7 and status eq "
                   "'success'&$select=id&$top=1"},
  std::string_view{"application?$filter=" SLIPWAY_SU
                   "&$select=id&$expand=owns__release($select=id;$top=1;$filter=is_final eq true "
                   "and is_passing_tests eq true and is_invalidated eq false and status eq "
                   "'success';$orderby=created_at desc)"},
  std::string_view{"application?$filter=owns__device/any(d:d/actor eq 11)"},
  std::string_view{"device?$filter=id in (15)"},
  std::string_view{"api_key?$select=id,created_at,name,description,expiry_date"
                   "&$filter=is_of__actor eq 11&$orderby=name asc"},
  std::string_view{"api_key?$select=id,created_at,name,description,expiry_date"
                   "&$filter=is_of__actor eq 11 and name ne null&$orderby=name asc"},
  std::string_view{"api_key(18)"},
  std::string_view{"device_type?$orderby=name asc&$select=slug,name"
                   "&$filter=is_default_for__application/any(idfa:idfa/is_host eq true and "
                   "idfa/is_archived eq false and idfa/owns__release/any(r:r/status eq 'success' "
                   "and r/is_final eq true and r/is_invalidated eq false))"
                   "&$expand=is_of__cpu_architecture($select=slug),"
                   "device_type_alias($select=is_referenced_by__alias;"
                   "$orderby=is_referenced_by__alias asc)"},
  // Releases, variables and tags.
  std::string_view{"release?$filter=belongs_to__application eq 7&$orderby=created_at desc"
                   "&$select=id,commit,created_at,status,raw_version,is_final"},
  std::string_view{"release?$filter=belongs_to__application eq 7&$orderby=created_at desc"
                   "&$expand=release_tag($select=tag_key,value)"},
  std::string_view{"release?$filter=startswith(commit,'C')&$select=id,commit,created_at,status,"
                   "raw_version,is_final,build_log,start_timestamp,end_timestamp"
                   "&$expand=release_tag($select=tag_key,value)"},
  std::string_view{"release(8)?$select=id,raw_version,build_log"},
  std::string_view{"release?$filter=startswith(commit,'C')&$select=composition"},
  std::string_view{"release?$filter=startswith(commit,'C')&$select=id,is_invalidated"},
  std::string_view{"release(8)?$filter=status ne 'success'"},
  std::string_view{"application_environment_variable?$orderby=name asc&$filter=application eq 7"},
  std::string_view{"service_environment_variable?$orderby=name asc"
                   "&$filter=service/any(s:s/application eq 7)&$expand=service"},
  std::string_view{"application_config_variable?$orderby=name asc&$filter=application eq 7"},
  std::string_view{"application?$filter=" SLIPWAY_SU
                   "&$select=id&$expand=service($select=id;$filter=service_name eq 'main')"},
  std::string_view{"service_environment_variable?$filter=service/any(s:s/application eq 7) and "
                   "service/any(s:s/service_name eq 'main')&$expand=service"},
  std::string_view{"device(uuid='" SLIPWAY_U
                   "')?$select=id,uuid&$expand=belongs_to__application($select=slug)"},
  std::string_view{"device_service_environment_variable?$filter=service_install/any(si:si/device "
                   "eq 15)&$expand=service_install($expand=installs__service)"},
  std::string_view{"device_environment_variable?$orderby=name asc&$filter=device eq 15"},
  std::string_view{"device_config_variable?$orderby=name asc&$filter=device eq 15"},
  std::string_view{"device_service_environment_variable?$filter=service_install/any(si:si/device "
                   "eq 15) and service_install/any(si:si/installs__service/any(s:s/service_name "
                   "eq 'main'))&$expand=service_install($expand=installs__service)"},
  std::string_view{"service_install?$select=id&$filter=device eq 15 and installs__service eq 9"},
  std::string_view{"application_tag?$orderby=tag_key asc&$filter=application eq 7"},
  std::string_view{"device_tag?$orderby=tag_key asc&$filter=device eq 15"},
  std::string_view{"release?$filter=commit eq 'C'&$select=id"
                   "&$expand=release_tag($orderby=tag_key asc)"},
  std::string_view{"release_tag?$filter=release eq 8 and tag_key eq 'K'"},
  std::string_view{"service(application=7,service_name='main')"},
  std::string_view{"service(service_name='main',application=7)?$select=id"},
  std::string_view{"image__is_part_of__release?$filter=is_part_of__release eq 8"},
  // Devices.
  std::string_view{"device?$orderby=device_name asc&$select=id&$filter=uuid eq '" SLIPWAY_U "'"},
  std::string_view{"application(7)?$select=id&$expand=is_for__device_type($select=slug;"
                   "$expand=is_of__cpu_architecture($select=slug))"},
  std::string_view{"device?$select=id,uuid,device_name,status,is_online,supervisor_version,"
                   "os_version&$expand=" SLIPWAY_LIST "&$orderby=device_name asc"},
  std::string_view{
    "application?$filter=" SLIPWAY_DA " and (" SLIPWAY_SU
    ")&$select=slug&$expand=owns__device($select=id,uuid,device_name,status,is_online,"
    "supervisor_version,os_version;$expand=" SLIPWAY_LIST ";$orderby=device_name asc)"},
  std::string_view{
    "device(uuid='" SLIPWAY_U
    "')?$select=device_name,id,overall_status,is_online,ip_address,mac_address,"
    "last_connectivity_event,uuid,supervisor_version,is_web_accessible,note,os_version,"
    "memory_usage,memory_total,public_address,storage_block_device,storage_usage,storage_total,"
    "cpu_usage,cpu_temp,cpu_id,is_undervolted&$expand=" SLIPWAY_LIST},
  std::string_view{"device(uuid='" SLIPWAY_U
                   "')?$expand=device_tag($select=tag_key,value)," SLIPWAY_LIST},
  std::string_view{"device(uuid='" SLIPWAY_U
                   "')?$select=overall_status,overall_progress,should_be_running__release"},
  std::string_view{"device?$filter=startswith(uuid,'deadbee')&$select=uuid"},
  std::string_view{"device(uuid='" SLIPWAY_U
                   "')?$select=uuid,belongs_to__application&$expand=is_of__device_type($select=id;"
                   "$expand=is_of__cpu_architecture($select=slug))"},
  std::string_view{"device?$orderby=device_name asc&$select=id,belongs_to__application,"
                   "is_of__device_type&$filter=uuid eq '" SLIPWAY_U
                   "'&$expand=is_of__device_type($select=is_of__cpu_architecture;"
                   "$expand=is_of__cpu_architecture($select=slug))"},
  std::string_view{"device(uuid='" SLIPWAY_U
                   "')?$select=uuid&$expand=is_pinned_on__release($select=commit),"
                   "belongs_to__application($select=slug)"},
  std::string_view{"release?$filter=commit eq 'C' and commit eq 'C' and status eq 'success' and "
                   "belongs_to__application eq 7&$select=id&$top=1&$orderby=created_at desc"},
  std::string_view{"device(uuid='" SLIPWAY_U "')?$expand=" SLIPWAY_SVC
                   ",belongs_to__application($select=slug),is_running__release($select=commit)"},
  std::string_view{"service(9)?$select=service_name"},
  std::string_view{"device_config_variable?$select=value"
                   "&$filter=device eq 15 and name eq 'RESIN_SUPERVISOR_LOCAL_MODE'"},
  std::string_view{"device/$count?$filter=belongs_to__application eq 7"},
  std::string_view{"device(uuid=@uuid)/canAccess?@uuid='" SLIPWAY_U "'"},
  std::string_view{"device(15)/canAccess"},
  std::string_view{"device?$filter=is_connected_to_vpn&$select=uuid"},
  // OS and preload.
  std::string_view{
    "application?$select=is_for__device_type&$expand=application_tag($select=tag_key,value),"
    "is_for__device_type($select=slug),owns__release($select=id,known_issue_list,raw_version,"
    "variant,phase;$expand=release_tag($select=tag_key,value);$filter=is_final eq true and "
    "is_invalidated eq false and status eq 'success')"
    "&$filter=is_host eq true and is_for__device_type/any(dt:dt/slug in ('T'))"},
  std::string_view{"cpu_architecture?$select=id,slug"},
  std::string_view{"application?$filter=" SLIPWAY_DA
                   " and is_for__device_type/any(dt:dt/is_of__cpu_architecture in (5,6))"
                   "&$expand=is_for__device_type($select=slug)"},
  std::string_view{"application?$filter=" SLIPWAY_DA
                   " and is_for__device_type/any(dt:dt/is_of__cpu_architecture/any(ioca:"
                   "ioca/is_supported_by__device_type/any(isbdt:isbdt/slug eq 'T'))) and "
                   "owns__release/any(r:r/status eq 'success')"
                   "&$expand=owns__release($expand=release_image($expand=image($select=image_size,"
                   "is_stored_at__image_location)))"},
  std::string_view{"release?$select=contract&$filter=raw_version eq 'V'"},
  // SDK methods.
  std::string_view{"application?$filter=organization eq 2&$orderby=app_name asc"},
  std::string_view{"application(7)?$expand=owns__device($expand=" SLIPWAY_SVC ")"},
  std::string_view{"application?$orderby=app_name asc&$select=id&$filter=id in (7)"},
  std::string_view{"application(7)?$select=should_track_latest_release"},
  std::string_view{"device?$filter=belongs_to__application eq 7"},
  std::string_view{"application_environment_variable?$select=value"
                   "&$filter=application eq 7 and name eq 'K'"},
  std::string_view{"device?$orderby=device_name asc"
                   "&$filter=belongs_to__application/any(bta:bta/organization eq 2)"},
  std::string_view{"device?$orderby=device_name asc&$filter=device_name eq 'dev1'"},
  std::string_view{
    "device(uuid='" SLIPWAY_U
    "')?$expand=device_config_variable($select=value;$filter=name eq 'RESIN_OVERRIDE_LOCK'),"
    "belongs_to__application($select=id;$expand=application_config_variable($select=value;"
    "$filter=name eq 'RESIN_OVERRIDE_LOCK'))"},
  std::string_view{"device?$orderby=device_name asc&$select=id,uuid&$filter=uuid in ('" SLIPWAY_U
                   "','ab')"},
  std::string_view{"release(8)?$top=1&$select=id&$filter=id eq 8 and status eq 'success' and "
                   "belongs_to__application eq 7&$orderby=created_at desc"},
  std::string_view{"device?$select=id,id,supervisor_version,os_version"
                   "&$expand=is_of__device_type($select=is_of__cpu_architecture)"},
  std::string_view{
    "release?$select=id,raw_version,known_issue_list,id&$filter=status eq 'success' and is_final "
    "eq true and is_invalidated eq false and semver_major gt 0 and belongs_to__application/any("
    "a:startswith(a/slug,'balena_os/') and endswith(a/slug,'-supervisor') and a/is_public eq true "
    "and a/is_host eq false and a/is_for__device_type/any(dt:dt/is_of__cpu_architecture eq 5)) "
    "and raw_version eq '17.0.0'&$orderby=semver_major desc,semver_minor desc,semver_patch desc,"
    "revision desc&$top=1"},
  std::string_view{"device_tag?$orderby=tag_key asc"
                   "&$filter=device/any(d:d/belongs_to__application eq 7)"},
  std::string_view{
    "device_service_environment_variable?$filter=service_install/any(si:si/device/any("
    "d:d/belongs_to__application eq 7))&$orderby=name asc"},
  std::string_view{"device_service_environment_variable?$select=value&$filter=service_install/any("
                   "si:si/device eq 15 and si/installs__service eq 9) and name eq 'K'"},
  std::string_view{"device_service_environment_variable?$select=value&$filter=service_install/any("
                   "si:si/device eq 15 and si/installs__service/any(is:is/service_name eq "
                   "'main')) and name eq 'K'"},
  std::string_view{"service_install?$select=id&$filter=device/any(d:d/uuid eq '" SLIPWAY_U
                   "') and installs__service/any(s:s/service_name eq 'main')"},
  std::string_view{"release?$filter=raw_version eq '1.2.3' and belongs_to__application eq 7"},
  std::string_view{"release(8)?$expand=release_image($expand=image($select=id;"
                   "$expand=is_a_build_of__service($select=service_name))),"
                   "is_created_by__user($select=id,username)"},
  std::string_view{"application(7)?$select=app_name&$expand=organization($select=handle)"},
  std::string_view{"release_tag?$orderby=tag_key asc"
                   "&$filter=release/any(r:r/belongs_to__application eq 7)"},
  std::string_view{"application(7)?$select=id&$expand=service"},
  std::string_view{"service_environment_variable?$orderby=name asc&$filter=service eq 9"},
  std::string_view{"image(10)?$select=build_log"},
  std::string_view{"device_type?$orderby=name asc&$top=1&$filter=name eq 'x' or slug eq 'x'"},
  // Written by hand with the SDK's client.
  std::string_view{
    "application?$filter=owns__device/$count gt 1&$orderby=owns__device/$count desc"},
  std::string_view{"application?$filter=owns__device/$count($filter=is_online eq true) ge 1"},
  std::string_view{"application?$expand=owns__device/$count($filter=is_online eq true)"},
  std::string_view{"device?$filter=not(is_online eq true)&$skip=10&$top=5&$count=true"},
  std::string_view{"device?$filter=created_at ge datetime'2026-01-01T00:00:00.000Z'"},
  std::string_view{"device?$orderby=belongs_to__application/app_name desc"},
  std::string_view{"user?0=m&1=y&$select=*"},
#undef SLIPWAY_DA
#undef SLIPWAY_SU
#undef SLIPWAY_U
#undef SLIPWAY_SVC
#undef SLIPWAY_LIST
};

}  // namespace slipway::tests::odata
