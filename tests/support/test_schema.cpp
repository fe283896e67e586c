#include "tests/support/test_schema.hpp"

namespace slipway::tests {
namespace {

using domain::field_def;
using domain::field_type;
using domain::resource_def;

resource_def resource(std::uint16_t number, std::string name, messages::entity_kind root) {
  resource_def r;
  r.number = number;
  r.name = std::move(name);
  r.root = root;
  return r;
}

field_def& add(resource_def& r, std::string name, field_type type) {
  field_def f;
  f.number = static_cast<std::uint16_t>(r.fields.size() + 3);
  f.name = std::move(name);
  f.type = type;
  r.fields.push_back(std::move(f));
  return r.fields.back();
}

}  // namespace

std::vector<domain::resource_def> test_resources() {
  auto fleet = resource(fleets::resource, "fleet", messages::entity_kind::fleet);
  add(fleet, "slug", field_type::text).unique = true;
  add(fleet, "name", field_type::text).indexed = true;
  add(fleet, "weight", field_type::number).indexed = true;
  add(fleet, "settings", field_type::json);
  add(fleet, "archived", field_type::boolean);

  auto device = resource(devices::resource, "device", messages::entity_kind::device);
  add(device, "uuid", field_type::text).unique = true;
  add(device, "belongs_to__fleet", field_type::reference).references = "fleet";
  add(device, "status", field_type::text);
  add(device, "note", field_type::text).indexed = true;
  add(device, "is_online", field_type::boolean).indexed = true;
  add(device, "progress", field_type::integer);
  add(device, "last_seen", field_type::date);

  auto tag = resource(tags::resource, "device_tag", messages::entity_kind::device);
  tag.root_path = {"device"};
  add(tag, "device", field_type::reference).references = "device";
  add(tag, "tag_key", field_type::text);
  add(tag, "value", field_type::text);
  tag.indices.push_back({tags::by_device_and_key, {tags::device, tags::key}, true});
  return {fleet, device, tag};
}

std::shared_ptr<const domain::schema> test_schema() {
  static const auto schema = std::make_shared<const domain::schema>(test_resources());
  return schema;
}

}  // namespace slipway::tests
