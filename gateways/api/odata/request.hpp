#pragma once

#include "domain/schema.hpp"
#include "messages/value.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A parsed OData request: every name is resolved, every literal converted, every limit checked. It points into the schema.
/// docs/protocols/odata.md describes the dialect.
namespace slipway::gateways::odata {

enum class dialect : std::uint8_t { v6, v7 };

/// Bounds of what one request may ask. Beyond any of them the request is answered 400 with a text that names the limit.
struct limits {
  std::size_t query_bytes_max = 65'536;  ///< path and query, before decoding
  std::size_t depth_max = 24;            ///< nesting of parentheses, functions, lambdas, expands
  std::size_t nodes_max = 4'000;  ///< names, literals and operators in all expressions together
  std::size_t list_max = 1'000;   ///< members of one `in` list
  std::size_t expands_max = 64;   ///< expanded navigations of all levels together
  std::size_t columns_max = 512;  ///< names in one $select
  std::size_t orders_max = 16;    ///< keys in one $orderby
  std::size_t options_max = 256;  ///< options in the query
};

enum class op : std::uint8_t {
  literal,
  field,  ///< a field of the row reached along `path`
  count,  ///< how many rows `over` leads to, of those where children[0], if any, is true
  any,    ///< some row that `over` leads to makes children[0] true (or exists at all)
  all,    ///< no row that `over` leads to makes children[0] false
  conjunction,
  disjunction,
  negation,
  eq,
  ne,
  gt,
  ge,
  lt,
  le,
  in,
  add,
  sub,
  mul,
  div,
  mod,
  startswith,
  endswith,
  contains,
  tolower,
  toupper,
  length,
  indexof,
  substring,
  trim,
  concat,
  replace,
};

/// What an expression gives, as far as it can be told from its text.
enum class kind : std::uint8_t { nothing, boolean, number, text, date, json };

/// One navigation between two resources.
struct step {
  const domain::navigation_def* navigation = nullptr;
  const domain::resource_def* from = nullptr;
  const domain::resource_def* to = nullptr;
};

struct expr {
  op what = op::literal;
  kind gives = kind::nothing;
  std::uint8_t from =
    0;  ///< field, count, any, all: the variable whose row the path starts at; 0 = the row itself
  std::uint8_t binds = 0;  ///< count, any, all: the variable of the rows that `over` leads to
  messages::value literal;
  std::vector<step> path;  ///< forward navigations
  const domain::field_def* field = nullptr;
  step over;
  std::vector<expr> children;
  std::vector<messages::value> list;  ///< of `in`: sorted, of one type, without null
  bool list_has_null = false;
};

/// Rows that one expression can have in hand at once: the row itself and a variable of each lambda around.
constexpr std::size_t variables_max = 16;

struct column {
  std::string name;  ///< as the client wrote it
  const domain::field_def* field = nullptr;
};

struct order {
  expr by;
  bool descending = true;  ///< what the reference does when no direction is given
};

struct expansion;

struct query {
  const domain::resource_def* resource = nullptr;
  std::optional<expr> filter;
  std::vector<column>
    columns;  ///< what is written of a row; without $select all that is not hidden
  std::vector<expansion> expand;
  std::vector<order> orderby;
  std::optional<std::uint64_t> top;
  std::uint64_t skip = 0;
};

struct expansion {
  std::string name;  ///< as the client wrote it
  step along;
  bool count = false;  ///< `nav/$count`: an integer instead of the rows
  query rows;
};

struct key_part {
  const domain::field_def* field = nullptr;
  messages::value value;
};

struct request_line {
  dialect version = dialect::v7;
  query rows;
  std::vector<key_part> key;  ///< empty = the collection
  bool count = false;         ///< `/$count`
  std::string action;         ///< `device(15)/canAccess`; "" = none
  /// Options that are not OData's (`returnResource=false`), decoded, in order.
  std::vector<std::pair<std::string, std::string>> custom;

  [[nodiscard]] const domain::resource_def& resource() const { return *rows.resource; }
};

}  // namespace slipway::gateways::odata
