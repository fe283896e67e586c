#include "gateways/api/odata/parse_state.hpp"

namespace slipway::gateways::odata {

const domain::field_def* open_field(const domain::resource_def& r, std::string_view name) {
  const auto* f = r.find_field(name);
  return f != nullptr && !f->hidden ? f : nullptr;
}

step open_navigation(
  const domain::schema& schema,
  const domain::resource_def& r,
  std::string_view name) {
  const auto* nav = r.find_navigation(name);
  const auto* to = nav != nullptr ? schema.find(nav->resource) : nullptr;
  if (to == nullptr) {
    return {};
  }
  if (!nav->relate && (nav->forward ? r : *to).fields[nav->via].hidden) {
    return {};
  }
  return {nav, &r, to};
}

nesting::nesting(parse_state& state, lexer& in) : state_(state) {
  if (++state_.depth > state_.bounds.depth_max) {
    in.fail("nested deeper than " + std::to_string(state_.bounds.depth_max) + " levels");
  }
}

}  // namespace slipway::gateways::odata
