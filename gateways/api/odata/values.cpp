#include "gateways/api/odata/values.hpp"

namespace slipway::gateways::odata {

using messages::is_null;
using messages::value;

namespace {

std::strong_ordering order_of_doubles(double a, double b) {
  return a < b   ? std::strong_ordering::less
         : a > b ? std::strong_ordering::greater
                 : std::strong_ordering::equal;
}

std::optional<double> number(const value& v) {
  if (const auto* i = std::get_if<std::int64_t>(&v)) {
    return static_cast<double>(*i);
  }
  const auto* d = std::get_if<double>(&v);
  return d != nullptr ? std::optional(*d) : std::nullopt;
}

}  // namespace

std::optional<std::strong_ordering> order_of(const value& a, const value& b) {
  if (is_null(a) || is_null(b)) {
    return std::nullopt;
  }
  if (a.index() == b.index()) {
    if (const auto* x = std::get_if<std::int64_t>(&a)) {
      return *x <=> std::get<std::int64_t>(b);
    }
    if (const auto* x = std::get_if<std::string>(&a)) {
      return x->compare(std::get<std::string>(b)) <=> 0;
    }
    if (const auto* x = std::get_if<bool>(&a)) {
      return *x <=> std::get<bool>(b);
    }
    if (const auto* x = std::get_if<messages::json_text>(&a)) {
      return x->text.compare(std::get<messages::json_text>(b).text) <=> 0;
    }
  }
  const auto x = number(a);
  const auto y = number(b);
  return x && y ? std::optional(order_of_doubles(*x, *y)) : std::nullopt;
}

value compare_values(op what, const value& a, const value& b) {
  if (what == op::eq || what == op::ne) {
    const auto order = order_of(a, b);
    const bool equal = order ? *order == 0 : is_null(a) && is_null(b);
    return equal == (what == op::eq);
  }
  const auto order = order_of(a, b);
  if (!order) {
    return messages::null{};
  }
  switch (what) {
    case op::gt:
      return *order > 0;
    case op::ge:
      return *order >= 0;
    case op::lt:
      return *order < 0;
    default:
      return *order <= 0;
  }
}

std::strong_ordering sort_order(const value& a, const value& b) {
  if (is_null(a) || is_null(b)) {
    return is_null(a) <=> is_null(b);
  }
  return order_of(a, b).value_or(a.index() <=> b.index());
}

}  // namespace slipway::gateways::odata
