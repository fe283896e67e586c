#include "gateways/api/odata/evaluate.hpp"

#include "gateways/api/odata/text_functions.hpp"
#include "gateways/api/odata/values.hpp"

#include <algorithm>
#include <cmath>

namespace slipway::gateways::odata {

using messages::is_null;
using messages::row;
using messages::value;

namespace {

truth truth_of(const value& v) {
  const auto* b = std::get_if<bool>(&v);
  return b == nullptr ? truth::unknown : *b ? truth::yes : truth::no;
}

value value_of(truth t) {
  return t == truth::unknown ? value{} : value{t == truth::yes};
}

/// The row that a path of forward navigations ends at; null when it breaks off. `hold` keeps it alive.
const row* walk(session& s, const expr& e, const frame& f, row_ptr& hold) {
  const row* at = f[e.from];
  for (const auto& along : e.path) {
    const auto id = s.value_of(*at, along.from->fields[along.navigation->via]);
    const auto* i = std::get_if<std::int64_t>(&id);
    auto next = i != nullptr ? s.fetch(*along.to, *i) : nullptr;
    if (next == nullptr) {
      return nullptr;
    }
    hold = std::move(next);
    at = hold.get();
  }
  return at;
}

const value& field_of(session& s, const expr& e, const frame& f, value& scratch) {
  row_ptr hold;
  const auto* at = walk(s, e, f, hold);
  if (at == nullptr) {
    return scratch = messages::null{};
  }
  if (e.field->compute) {
    return scratch = s.value_of(*at, *e.field);
  }
  const auto& v = messages::field(*at, e.field->number);
  return hold != nullptr ? scratch = v : v;
}

/// The condition of a lambda or count for one row that it leads to. Without a condition nothing is bound: slot 0 stays the row itself.
truth holds(session& s, const expr& e, frame& f, const row& r) {
  f[e.binds] = &r;
  return test(s, e.children.front(), f);
}

truth quantified(session& s, const expr& e, frame& f) {
  row_ptr hold;
  const auto* at = walk(s, e, f, hold);
  const bool any = e.what == op::any;
  bool found = false;
  if (at != nullptr) {
    s.related(*at, e.over, [&](const row& r, const row_ptr&) {
      const auto wanted = any ? truth::yes : truth::no;
      found = e.children.empty() || holds(s, e, f, r) == wanted;
      return !found && !s.stopped();
    });
  }
  return found == any ? truth::yes : truth::no;
}

value counted(session& s, const expr& e, frame& f) {
  row_ptr hold;
  const auto* at = walk(s, e, f, hold);
  std::int64_t count = 0;
  if (at != nullptr) {
    s.related(*at, e.over, [&](const row& r, const row_ptr&) {
      const bool counts = e.children.empty() || holds(s, e, f, r) == truth::yes;
      count += counts ? 1 : 0;
      return !s.stopped();
    });
  }
  return count;
}

truth conjunction(session& s, const expr& e, frame& f) {
  auto all = truth::yes;
  for (const auto& child : e.children) {
    const auto t = test(s, child, f);
    if (t == truth::no) {
      return t;
    }
    all = t == truth::unknown ? t : all;
  }
  return all;
}

truth disjunction(session& s, const expr& e, frame& f) {
  auto any = truth::no;
  for (const auto& child : e.children) {
    const auto t = test(s, child, f);
    if (t == truth::yes) {
      return t;
    }
    any = t == truth::unknown ? t : any;
  }
  return any;
}

truth negation(truth t) {
  return t == truth::unknown ? t : t == truth::yes ? truth::no : truth::yes;
}

truth in_list(session& s, const expr& e, frame& f) {
  value scratch;
  const auto& v = evaluate(s, e.children.front(), f, scratch);
  if (is_null(v)) {
    return e.list_has_null ? truth::yes : truth::no;
  }
  const bool uniform =
    !e.list.empty() && e.list.front().index() == v.index() && e.list.back().index() == v.index();
  const bool found = uniform ? std::binary_search(e.list.begin(), e.list.end(), v)
                             : std::any_of(e.list.begin(), e.list.end(), [&](const value& member) {
                                 return order_of(member, v) == std::strong_ordering::equal;
                               });
  return found ? truth::yes : truth::no;
}

value integers(op what, std::int64_t a, std::int64_t b) {
  std::int64_t r = 0;
  const bool divides = b != 0 && !(a == INT64_MIN && b == -1);
  switch (what) {
    case op::add:
      return __builtin_add_overflow(a, b, &r) ? value{} : value{r};
    case op::sub:
      return __builtin_sub_overflow(a, b, &r) ? value{} : value{r};
    case op::mul:
      return __builtin_mul_overflow(a, b, &r) ? value{} : value{r};
    case op::div:
      return divides ? value{a / b} : value{};
    default:
      return divides ? value{a % b} : value{};
  }
}

value reals(op what, double a, double b) {
  double r = 0;
  switch (what) {
    case op::add:
      r = a + b;
      break;
    case op::sub:
      r = a - b;
      break;
    case op::mul:
      r = a * b;
      break;
    case op::div:
      r = a / b;
      break;
    default:
      r = std::fmod(a, b);
      break;
  }
  return std::isfinite(r) ? value{r} : value{};
}

std::optional<double> as_real(const value& v) {
  if (const auto* i = std::get_if<std::int64_t>(&v)) {
    return static_cast<double>(*i);
  }
  const auto* d = std::get_if<double>(&v);
  return d != nullptr ? std::optional(*d) : std::nullopt;
}

value arithmetic(session& s, const expr& e, frame& f) {
  value scratch_a;
  value scratch_b;
  const auto& a = evaluate(s, e.children[0], f, scratch_a);
  const auto& b = evaluate(s, e.children[1], f, scratch_b);
  const auto* i = std::get_if<std::int64_t>(&a);
  const auto* j = std::get_if<std::int64_t>(&b);
  if (i != nullptr && j != nullptr) {
    return integers(e.what, *i, *j);
  }
  const auto x = as_real(a);
  const auto y = as_real(b);
  return x && y ? reals(e.what, *x, *y) : value{};
}

value function(session& s, const expr& e, frame& f) {
  std::array<value, 3> scratch;
  std::array<const value*, 3> arguments{&scratch[0], &scratch[1], &scratch[2]};
  for (std::size_t i = 0; i < e.children.size(); ++i) {
    arguments[i] = &evaluate(s, e.children[i], f, scratch[i]);
    if (is_null(*arguments[i]) || s.stopped()) {
      return {};
    }
    if (const auto* text = std::get_if<std::string>(arguments[i])) {
      s.charge_text(text->size());
    }
  }
  auto result = apply_text_function(e.what, arguments);
  if (!result) {
    s.fail(result.error().detail);
    return {};
  }
  return std::move(*result);
}

truth compared(session& s, const expr& e, frame& f) {
  value scratch_a;
  value scratch_b;
  const auto& a = evaluate(s, e.children[0], f, scratch_a);
  const auto& b = evaluate(s, e.children[1], f, scratch_b);
  return truth_of(compare_values(e.what, a, b));
}

}  // namespace

truth test(session& s, const expr& e, frame& f) {
  switch (e.what) {
    case op::conjunction:
      return conjunction(s, e, f);
    case op::disjunction:
      return disjunction(s, e, f);
    case op::negation:
      return negation(test(s, e.children.front(), f));
    case op::any:
    case op::all:
      return quantified(s, e, f);
    case op::eq:
    case op::ne:
    case op::gt:
    case op::ge:
    case op::lt:
    case op::le:
      return compared(s, e, f);
    case op::in:
      return in_list(s, e, f);
    default: {
      value scratch;
      return truth_of(evaluate(s, e, f, scratch));
    }
  }
}

const value& evaluate(session& s, const expr& e, frame& f, value& scratch) {
  switch (e.what) {
    case op::literal:
      return e.literal;
    case op::field:
      return field_of(s, e, f, scratch);
    case op::count:
      return scratch = counted(s, e, f);
    case op::add:
    case op::sub:
    case op::mul:
    case op::div:
    case op::mod:
      return scratch = arithmetic(s, e, f);
    case op::startswith:
    case op::endswith:
    case op::contains:
    case op::tolower:
    case op::toupper:
    case op::length:
    case op::indexof:
    case op::substring:
    case op::trim:
    case op::concat:
    case op::replace:
      return scratch = function(s, e, f);
    default:
      return scratch = value_of(test(s, e, f));
  }
}

bool passes(session& s, const std::optional<expr>& filter, const row& r) {
  if (!filter) {
    return true;
  }
  frame f{};
  f[0] = &r;
  return test(s, *filter, f) == truth::yes;
}

}  // namespace slipway::gateways::odata
