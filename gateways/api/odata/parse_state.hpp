#pragma once

#include "gateways/api/odata/lexer.hpp"
#include "gateways/api/odata/request.hpp"

#include <string>
#include <string_view>
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
