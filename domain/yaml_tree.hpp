#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace slipway::domain {

/// Limits for YAML from outside; past one the document is refused (`too_large`).
constexpr std::size_t yaml_bytes_max = 256U * 1024U;
constexpr std::size_t yaml_depth_max = 32;
/// Nodes after aliases are expanded, so that a few anchors cannot stand for millions of nodes.
constexpr std::size_t yaml_nodes_max = 20'000;
/// Keys and values after aliases are expanded.
constexpr std::size_t yaml_expanded_bytes_max = 4U << 20U;

struct yaml_member;

/// A YAML document with its line numbers, aliases expanded and merge keys (`<<`) applied. Plain values.
struct yaml_node {
  enum class kind { scalar, list, map };
  kind type = kind::scalar;
  int line = 0;           ///< from 1
  nlohmann::json scalar;  ///< null, bool, integer, float or string, by YAML 1.2's core schema
  std::string text;       ///< of a scalar, as written
  std::vector<yaml_node> items;
  std::vector<yaml_member> members;  ///< of a map, in order, keys unique

  [[nodiscard]] bool is_null() const { return type == kind::scalar && scalar.is_null(); }
  /// The member of that name, or null.
  [[nodiscard]] const yaml_node* find(std::string_view name) const;
};

struct yaml_member {
  std::string key;
  yaml_node value;
};

/// Parses one untrusted document. Errors: invalid_argument and too_large, whose detail starts with `file:line: `.
messages::result<yaml_node> parse_yaml(std::string_view text, std::string_view file);

/// The same for JSON, whose values all have the line 1. No error quotes what the text holds: it may be a secret.
messages::result<yaml_node> parse_json_tree(std::string_view text, std::string_view file);

/// The same document without lines.
nlohmann::json to_json(const yaml_node& node);

}  // namespace slipway::domain
