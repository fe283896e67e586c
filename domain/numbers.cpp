#include "domain/numbers.hpp"

#include "domain/resource_model.hpp"

namespace slipway::domain::numbers {
namespace {

template <class T>
T load(const char* name) {
  const auto& def = resource_model()->at(name);
  T out;
  out.resource = def.number;
  if constexpr (messages::has_fields<T>) {
    constexpr auto names = T::field_names();
    std::size_t i = 0;
    std::apply([&](auto&... member) { ((member = def.field(names[i++])), ...); }, out.fields());
  }
  return out;
}

table load_all() {
  table t;
  t.user = load<user>("user");
  t.login_session = load<login_session>("login_session");
  t.api_key = load<api_key>("api_key");
  t.organization = load<organization>("organization");
  t.organization_membership = load<organization_membership>("organization_membership");
  t.user_public_key = load<user_public_key>("user_public_key");
  t.organization_membership_role = load<membership_role>("organization_membership_role");
  t.application_membership_role = load<membership_role>("application_membership_role");
  t.invitee = load<invitee>("invitee");
  t.organization_invite = load<organization_invite>("organization_invite");
  t.application_invite = load<application_invite>("application_invite");
  t.team = load<team>("team");
  t.team_membership = load<team_membership>("team_membership");
  t.team_application_access = load<team_application_access>("team_application_access");
  t.user_application_membership = load<user_application_membership>("user_application_membership");
  t.device_family = load<device_family>("device_family");
  t.device_manufacturer = load<device_manufacturer>("device_manufacturer");
  t.application_profile = load<application_profile>("application_profile");
  t.image_profile = load<image_profile>("image_profile");
  t.builder = load<builder>("builder");
  t.build = load<build>("build");
  t.release_asset = load<release_asset>("release_asset");
  t.build_environment_variable = load<keyed>("build_environment_variable");
  t.organization_membership_tag = load<keyed>("organization_membership_tag");
  t.device_type = load<device_type>("device_type");
  t.device_type_alias = load<device_type_alias>("device_type_alias");
  t.cpu_architecture = load<keyed>("cpu_architecture").resource;
  t.application_type = load<keyed>("application_type").resource;
  t.application = load<application>("application");
  t.service = load<service>("service");
  t.release = load<release>("release");
  t.image = load<image>("image");
  t.release_image = load<release_image>("release_image");
  t.image_label = load<keyed>("image_label");
  t.image_environment_variable = load<keyed>("image_environment_variable");
  t.application_environment_variable = load<keyed>("application_environment_variable");
  t.application_config_variable = load<keyed>("application_config_variable");
  t.service_environment_variable = load<keyed>("service_environment_variable");
  t.service_label = load<keyed>("service_label");
  t.application_tag = load<keyed>("application_tag");
  t.release_tag = load<keyed>("release_tag");
  t.device_environment_variable = load<keyed>("device_environment_variable");
  t.device_config_variable = load<keyed>("device_config_variable");
  t.device_service_environment_variable = load<keyed>("device_service_environment_variable");
  t.device_tag = load<keyed>("device_tag");
  t.device = load<device>("device");
  t.image_install = load<image_install>("image_install");
  t.service_install = load<service_install>("service_install");
  return t;
}

}  // namespace

const table& get() {
  static const table t = load_all();
  return t;
}

}  // namespace slipway::domain::numbers
