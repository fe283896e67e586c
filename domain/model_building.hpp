#pragma once

#include "domain/schema.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

/// The words in which the resource model is written down. Internal to domain/resource_model*.cpp.
namespace slipway::domain::building {

using messages::entity_kind;
using messages::row;
using messages::value;

/// A field being described; each setter answers the field, so that a description reads as one line.
struct describe {
  field_def f;

  describe(std::string name, field_type type) {
    f.name = std::move(name);
    f.type = type;
  }
  describe also(std::vector<std::string> names) && {
    f.aliases = std::move(names);
    return std::move(*this);
  }
  describe required() && {
    f.required = true;
    return std::move(*this);
  }
  describe hidden() && {
    f.hidden = true;
    f.read_only = true;
    return std::move(*this);
  }
  describe unlisted() && {
    f.unlisted = true;
    return std::move(*this);
  }
  describe read_only() && {
    f.read_only = true;
    return std::move(*this);
  }
  describe indexed() && {
    f.indexed = true;
    return std::move(*this);
  }
  describe unique() && {
    f.unique = true;
    return std::move(*this);
  }
  /// A change may alter some device's target state.
  describe target() && {
    f.affects_target = true;
    return std::move(*this);
  }
  describe max(std::size_t bytes) && {
    f.length_max = bytes;
    return std::move(*this);
  }
  describe one_of(std::vector<std::string> words) && {
    f.allowed = std::move(words);
    return std::move(*this);
  }
  describe otherwise(value v) && {
    f.otherwise = std::move(v);
    return std::move(*this);
  }
  describe back(std::vector<std::string> names) && {
    f.backward = std::move(names);
    return std::move(*this);
  }
  /// Clients may give a text in place of the id; the rules find or make the row it means.
  describe or_text() && {
    f.text_allowed = true;
    return std::move(*this);
  }
  describe computed(compute_fn fn) && {
    f.compute = std::move(fn);
    return std::move(*this);
  }
};

[[nodiscard]] describe text(std::string name);
[[nodiscard]] describe long_text(std::string name);
[[nodiscard]] describe integer(std::string name);
[[nodiscard]] describe boolean(std::string name);
/// A boolean that is never null. Not for a field that a resource is given later: rows from before have null there.
[[nodiscard]] describe flag(std::string name, bool otherwise);
[[nodiscard]] describe date(std::string name);
[[nodiscard]] describe json(std::string name);
[[nodiscard]] describe ref(std::string name, std::string target);

[[nodiscard]] resource_def resource(
  std::uint16_t number,
  std::string name,
  std::vector<std::string> aliases,
  entity_kind root,
  std::vector<std::string> root_path,
  std::vector<describe> fields,
  std::vector<index_def> indices = {},
  std::vector<navigation_def> navigations = {});

/// Variables, tags and labels: a parent, a key that is unique beside it, and a value. The parent navigates to them by all their names.
struct keyed_kind {
  std::uint16_t number = 0;
  std::string name;
  std::vector<std::string> aliases;
  entity_kind root = entity_kind::none;
  std::vector<std::string> root_path;
  std::string parent;
  std::string key = "name";
  std::size_t key_max = 255;
  std::size_t value_max = 100'000;
  bool affects_target = true;
};
[[nodiscard]] resource_def keyed(keyed_kind k);

/// Where a resource's own fields begin, after id, created_at and modified_at.
constexpr std::uint16_t first_own_field = 3;

// The model, in parts.
[[nodiscard]] std::vector<resource_def> accounts();
[[nodiscard]] std::vector<resource_def> memberships();
[[nodiscard]] std::vector<resource_def> catalog();
[[nodiscard]] std::vector<resource_def> fleets();
[[nodiscard]] std::vector<resource_def> releases();
[[nodiscard]] std::vector<resource_def> devices();
/// All parts.
[[nodiscard]] std::vector<resource_def> everything();

}  // namespace slipway::domain::building
