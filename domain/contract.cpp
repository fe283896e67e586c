#include "domain/contract.hpp"

#include "domain/semver.hpp"
#include "domain/yaml_tree.hpp"

#include <optional>

namespace slipway::domain {

namespace {

std::optional<yaml_node> read_map(std::string_view text, std::string_view file, file_notes& notes) {
  auto tree = parse_yaml(text, file);
  if (!tree) {
    notes.fault(tree.error());
    return std::nullopt;
  }
  if (tree->type != yaml_node::kind::map) {
    notes.fault(file, 1, "a contract is a map with the key type");
    return std::nullopt;
  }
  return std::move(*tree);
}

bool is_text(const yaml_node* node) {
  return node != nullptr && node->type == yaml_node::kind::scalar && !node->text.empty();
}

int line_of(const yaml_node* node) {
  return node != nullptr ? node->line : 1;
}

}  // namespace

release_contract
read_release_contract(std::string_view text, std::string_view file, file_notes& notes) {
  const auto tree = read_map(text, file, notes);
  if (!tree) {
    return {};
  }
  release_contract c{to_json(*tree), {}};
  const auto* type = tree->find("type");
  if (!is_text(type) || (type->text != "sw.application" && type->text != "sw.block")) {
    notes.fault(file, line_of(type), "type must be sw.application or sw.block");
  }
  if (const auto* version = tree->find("version"); version != nullptr) {
    if (is_text(version) && parse_semver(version->text)) {
      c.semver = version->text;
    } else {
      notes.fault(file, version->line, "version must be a semantic version such as 1.2.3");
    }
  }
  return c;
}

nlohmann::json
read_service_contract(std::string_view text, std::string_view file, file_notes& notes) {
  const auto tree = read_map(text, file, notes);
  if (!tree) {
    return nullptr;
  }
  const auto* type = tree->find("type");
  if (!is_text(type) || type->text != "sw.container") {
    notes.fault(file, line_of(type), "type must be sw.container");
  }
  for (const auto* key : {"name", "slug"}) {
    const auto* value = tree->find(key);
    if (!is_text(value)) {
      notes.fault(file, line_of(value), std::string(key) + " is missing or not text");
    }
  }
  return to_json(*tree);
}

}  // namespace slipway::domain
