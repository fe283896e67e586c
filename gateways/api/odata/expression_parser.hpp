#pragma once

#include "gateways/api/odata/lexer.hpp"
#include "gateways/api/odata/parse_state.hpp"
#include "gateways/api/odata/request.hpp"

#include <string>
#include <vector>

namespace slipway::gateways::odata {

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

}  // namespace slipway::gateways::odata
