#pragma once

#include "gateways/api/odata/lexer.hpp"
#include "gateways/api/odata/request.hpp"

#include <string>
#include <utility>
#include <vector>

namespace slipway::gateways::odata {

/// What all parts of one request share while it is parsed.
struct parse_state {
  const domain::schema& schema;
  const limits& bounds;
  std::vector<std::pair<std::string, std::string>> parameters;  ///< `@name` and its text
  std::size_t depth = 0;
  std::size_t nodes = 0;
  std::size_t expands = 0;
};

/// Names that are hidden do not exist for clients: all look-ups of the parser go through these two.
const domain::field_def* open_field(const domain::resource_def& r, std::string_view name);
/// A step with no `navigation` when there is none.
step open_navigation(
  const domain::schema& schema,
  const domain::resource_def& r,
  std::string_view name);

kind kind_of(const domain::field_def& f);

/// Turns a literal into the kind that it is compared with, as PostgreSQL does with the text of a parameter: `'7'` beside a number is 7,
/// a text beside a date is parsed. False when it cannot be.
bool coerce(messages::value& literal, kind& gives, kind wanted);

/// The literal at hand: a literal token, `true`, `false`, `null` or `@name`. Fails when there is none.
token take_literal(parse_state& state, lexer& in);

/// Recursive descent over `$filter` and the keys of `$orderby`. `and` and `or` have one precedence, left to right (balena-api.md 4.3).
class expression_parser {
public:
  expression_parser(parse_state& state, lexer& in, const domain::resource_def& root);

  /// An expression that is true or false.
  expr condition();
  /// A key of `$orderby`.
  expr operand();

private:
  struct variable {
    std::string name;
    const domain::resource_def* resource;
    std::uint8_t slot;
  };
  /// Where a path has come to.
  struct place {
    std::uint8_t from;
    const domain::resource_def* resource;
    std::vector<step> path;
  };

  expr expression();
  expr unary();
  expr comparison();
  expr additive();
  expr multiplicative();
  expr primary();
  expr function();
  expr path();
  expr path_from(place at);
  expr last_segment(place at, const token& name);
  expr over(place at, step along);
  expr lambda(place at, step along, op what);
  expr counted(place at, step along);
  expr in_list(expr left, std::size_t position);
  expr compared(op what, expr left, expr right, std::size_t position);
  expr arithmetic(op what, expr left, expr right, std::size_t position);
  expr joined(op what, expr left, expr right, std::size_t position);

  expr node(op what, kind gives);
  std::uint8_t bind(std::string name, const domain::resource_def& r);
  void unbind();
  void require(const expr& e, kind wanted, std::size_t position);
  const variable* find_variable(std::string_view name) const;

  parse_state& state_;
  lexer& in_;
  std::vector<variable> variables_;
  std::size_t root_ = 0;  ///< which variable names without a prefix belong to
};

/// Counts one level of nesting while it lives; fails the lexer beyond the limit.
class nesting {
public:
  nesting(parse_state& state, lexer& in);
  nesting(const nesting&) = delete;
  nesting& operator=(const nesting&) = delete;
  ~nesting() { --state_.depth; }

private:
  parse_state& state_;
};

}  // namespace slipway::gateways::odata
