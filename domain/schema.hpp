#pragma once

#include "messages/entity.hpp"
#include "messages/requester.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace slipway::domain {

class row_source;

enum class field_type {
  integer,
  big_integer,  ///< int64 that JSON shows as a decimal string in v7
  number,
  text,
  boolean,
  date,  ///< int64 ms, JSON shows ISO 8601 with ms and Z
  json,
  reference,  ///< int64 id of a row of `references`; JSON shows {"__id": 7}
};

/// Value of a computed field. Pure: the row and what can be read beside it.
using compute_fn = std::function<messages::value(const messages::row&, const row_source&)>;

struct field_def {
  std::uint16_t number =
    0;  ///< element of the row; on disk: never reused. Computed fields have none stored but keep one
  std::string name;
  std::vector<std::string> aliases;  ///< other names clients use for the same field
  field_type type = field_type::text;
  bool required = false;              ///< must be given on create and may not become null
  std::string references;             ///< resource name, for references
  std::vector<std::string> backward;  ///< how the referenced resource navigates to this one
  bool hidden = false;                ///< never leaves the server, not even in a filter
  bool unlisted = false;   ///< answered where a client selects it by name, and not otherwise
  bool read_only = false;  ///< clients may not write it
  bool indexed = false;    ///< references always are
  bool unique = false;     ///< implies indexed; null is not compared
  bool text_allowed =
    false;  ///< of a reference: clients may give a text, and the rules find or make the row it means
  bool affects_target = false;       ///< a change may alter some device's target state
  std::size_t length_max = 0;        ///< bytes of text, 0 = 1 MiB
  std::vector<std::string> allowed;  ///< of an enumeration
  messages::value otherwise;         ///< default on create
  /// Computed, never stored. Unless `read_only`, clients may send it in bodies and the rules make something of it.
  compute_fn compute;
};

/// A navigation property: forward along a reference of this resource, or backward along a reference of another.
struct navigation_def {
  std::vector<std::string> names;  ///< all of them work in $expand, lambdas and paths
  std::uint16_t resource = 0;      ///< the other side
  std::uint16_t via = 0;  ///< forward: field of this resource; backward: field of the other
  bool forward = false;
  /// A relation without rows of its own, such as application/is_directly_accessible_by__user: lists related ids.
  std::function<
    std::vector<std::int64_t>(const messages::row&, const messages::requester&, const row_source&)>
    relate;
};

/// An index over several fields. Single indexed, unique and reference fields have theirs without being listed.
struct index_def {
  /// On disk: never reused within the resource. Field n's own index has number n, these begin at `first_composite`.
  std::uint16_t number = 0;
  std::vector<std::uint16_t> fields;
  bool unique = false;  ///< compared only when no field is null
};

constexpr std::uint16_t first_composite = 1000;

struct resource_def {
  std::uint16_t number = 0;  ///< on disk: never reused
  std::string name;
  std::vector<std::string> aliases;
  std::vector<field_def> fields;  ///< by number, so fields[n].number == n
  std::vector<index_def> indices;
  std::vector<navigation_def> navigations;
  /// Whose stream its rows are in: a root itself (`root_path` empty), or the root reached along these references.
  messages::entity_kind root = messages::entity_kind::none;
  std::vector<std::string> root_path;

  [[nodiscard]] const field_def* find_field(std::string_view any_name) const;
  [[nodiscard]] const navigation_def* find_navigation(std::string_view any_name) const;
  /// Number of a field that must exist.
  [[nodiscard]] std::uint16_t field(std::string_view any_name) const;
  /// Number of the index over exactly these fields, which must exist.
  [[nodiscard]] std::uint16_t index(std::initializer_list<std::string_view> field_names) const;
  std::unordered_map<std::string, std::uint16_t> field_by_name;     // filled by schema
  std::unordered_map<std::string, std::size_t> navigation_by_name;  // filled by schema
};

/// The resource model: described once, and tables, indices, OData, permissions and $metadata derive from it.
class schema {
public:
  /// Checks the description and completes it: indices of single fields, names, backward navigations named in it.
  /// Ends the process on a contradiction: the model is ours, not input.
  explicit schema(std::vector<resource_def> resources);

  [[nodiscard]] const resource_def* find(std::string_view any_name) const;
  [[nodiscard]] const resource_def* find(std::uint16_t number) const;
  /// A resource that must exist.
  [[nodiscard]] const resource_def& at(std::string_view any_name) const;
  [[nodiscard]] const std::vector<resource_def>& resources() const { return resources_; }

private:
  std::vector<resource_def> resources_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::vector<int> by_number_;
};

}  // namespace slipway::domain
