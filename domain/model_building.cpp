#include "domain/model_building.hpp"

namespace slipway::domain::building {

describe text(std::string name) {
  return describe(std::move(name), field_type::text).max(255);
}
describe long_text(std::string name) {
  return describe(std::move(name), field_type::text).max(1'000'000);
}
describe integer(std::string name) {
  return {std::move(name), field_type::integer};
}
describe boolean(std::string name) {
  return {std::move(name), field_type::boolean};
}
describe flag(std::string name, bool otherwise) {
  return describe(std::move(name), field_type::boolean).required().otherwise(otherwise);
}
describe date(std::string name) {
  return {std::move(name), field_type::date};
}
describe json(std::string name) {
  return describe(std::move(name), field_type::json).max(1'000'000);
}
describe ref(std::string name, std::string target) {
  describe d(std::move(name), field_type::reference);
  d.f.references = std::move(target);
  return d;
}

resource_def resource(
  std::uint16_t number,
  std::string name,
  std::vector<std::string> aliases,
  entity_kind root,
  std::vector<std::string> root_path,
  std::vector<describe> fields,
  std::vector<index_def> indices,
  std::vector<navigation_def> navigations) {
  resource_def r;
  r.number = number;
  r.name = std::move(name);
  r.aliases = std::move(aliases);
  r.root = root;
  r.root_path = std::move(root_path);
  r.indices = std::move(indices);
  r.navigations = std::move(navigations);
  std::uint16_t n = first_own_field;
  for (auto& d : fields) {
    d.f.number = n++;
    r.fields.push_back(std::move(d.f));
  }
  return r;
}

resource_def keyed(keyed_kind k) {
  std::vector<std::string> back{k.name};
  back.insert(back.end(), k.aliases.begin(), k.aliases.end());
  auto parent = ref(k.parent, k.parent).required().back(std::move(back));
  auto key = text(std::move(k.key)).required().max(k.key_max);
  auto content = long_text("value").required().max(k.value_max);
  parent.f.affects_target = key.f.affects_target = content.f.affects_target = k.affects_target;
  return resource(
    k.number,
    std::move(k.name),
    std::move(k.aliases),
    k.root,
    std::move(k.root_path),
    {std::move(parent), std::move(key), std::move(content)},
    {{first_composite, {3, 4}, true}});
}

}  // namespace slipway::domain::building
