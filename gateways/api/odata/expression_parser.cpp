#include "gateways/api/odata/expression_parser.hpp"

#include "gateways/api/odata/literals.hpp"
#include "gateways/api/odata/values.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace slipway::gateways::odata {

using messages::value;

namespace {

std::optional<op> comparison_named(std::string_view w) {
  constexpr std::array<std::pair<std::string_view, op>, 6> table{
    {{"eq", op::eq},
     {"ne", op::ne},
     {"gt", op::gt},
     {"ge", op::ge},
     {"lt", op::lt},
     {"le", op::le}}};
  for (const auto& [name, what] : table) {
    if (name == w) {
      return what;
    }
  }
  return std::nullopt;
}

struct function_def {
  std::string_view name;
  op what;
  kind gives;
  std::array<kind, 3> takes;  ///< `nothing` ends the list
  std::size_t required;
};

constexpr auto t = kind::text;
constexpr auto n = kind::number;
constexpr auto none = kind::nothing;

constexpr std::array functions{
  function_def{"startswith", op::startswith, kind::boolean, {t, t, none}, 2},
  function_def{"endswith", op::endswith, kind::boolean, {t, t, none}, 2},
  function_def{"contains", op::contains, kind::boolean, {t, t, none}, 2},
  function_def{"substringof", op::contains, kind::boolean, {t, t, none}, 2},
  function_def{"tolower", op::tolower, t, {t, none, none}, 1},
  function_def{"toupper", op::toupper, t, {t, none, none}, 1},
  function_def{"length", op::length, n, {t, none, none}, 1},
  function_def{"indexof", op::indexof, n, {t, t, none}, 2},
  function_def{"substring", op::substring, t, {t, n, n}, 2},
  function_def{"trim", op::trim, t, {t, none, none}, 1},
  function_def{"concat", op::concat, t, {t, t, none}, 2},
  function_def{"replace", op::replace, t, {t, t, t}, 3},
};

const function_def* find_function(std::string_view name) {
  const auto it = std::find_if(functions.begin(), functions.end(), [&](const function_def& f) {
    return f.name == name;
  });
  return it == functions.end() ? nullptr : &*it;
}

bool coerce_operand(expr& e, kind wanted) {
  return e.what == op::literal && coerce(e.literal, e.gives, wanted);
}

}  // namespace

expression_parser::expression_parser(
  parse_state& state,
  lexer& in,
  const domain::resource_def& root)
  : state_(state), in_(in), variables_{{"$it", &root, 0}} {}

expr expression_parser::condition() {
  const auto position = in_.peek().position;
  auto e = expression();
  require(e, kind::boolean, position);
  return e;
}

expr expression_parser::operand() {
  const nesting level(state_, in_);
  return additive();
}

expr expression_parser::expression() {
  const nesting level(state_, in_);
  auto left = unary();
  std::size_t changes = 0;
  while (in_.at_word("and") || in_.at_word("or")) {
    const auto sign = in_.take();
    const auto what = sign.text == "and" ? op::conjunction : op::disjunction;
    // Each change between the two wraps what stands left of it, which makes the tree deeper.
    changes += left.what == what ? 0 : 1;
    if (changes > state_.bounds.depth_max) {
      in_.fail("`and` and `or` mixed without parentheses too often", sign.position);
    }
    left = joined(what, std::move(left), unary(), sign.position);
  }
  return left;
}

expr expression_parser::unary() {
  const char after = in_.after();
  if (!in_.at_word("not") || after == '/') {
    return comparison();
  }
  const nesting level(state_, in_);
  const auto position = in_.take().position;
  auto e = node(op::negation, kind::boolean);
  e.children.push_back(unary());
  require(e.children.front(), kind::boolean, position);
  return e;
}

expr expression_parser::comparison() {
  auto left = additive();
  if (in_.peek().what != token_kind::word) {
    return left;
  }
  const auto position = in_.peek().position;
  if (in_.accept_word("in")) {
    return in_list(std::move(left), position);
  }
  const auto what = comparison_named(in_.peek().text);
  if (!what) {
    return left;
  }
  in_.take();
  return compared(*what, std::move(left), additive(), position);
}

expr expression_parser::additive() {
  auto left = multiplicative();
  while (in_.at_word("add") || in_.at_word("sub")) {
    const auto sign = in_.take();
    left = arithmetic(
      sign.text == "add" ? op::add : op::sub,
      std::move(left),
      multiplicative(),
      sign.position);
  }
  return left;
}

expr expression_parser::multiplicative() {
  auto left = primary();
  while (in_.at_word("mul") || in_.at_word("div") || in_.at_word("mod")) {
    const auto sign = in_.take();
    const auto what = sign.text == "mul" ? op::mul : sign.text == "div" ? op::div : op::mod;
    left = arithmetic(what, std::move(left), primary(), sign.position);
  }
  return left;
}

expr expression_parser::primary() {
  const auto& at = in_.peek();
  if (in_.accept('(')) {
    auto e = expression();
    in_.expect(')');
    return e;
  }
  const char after = in_.after();
  if (at.what == token_kind::word && after == '(' && find_function(at.text) != nullptr) {
    return function();
  }
  const bool constant = at.text == "true" || at.text == "false" || at.text == "null";
  const bool name = at.what == token_kind::word && (!constant || after == '/');
  if (name || (at.what == token_kind::system && at.text == "$it")) {
    return path();
  }
  auto e = node(op::literal, kind::nothing);
  auto literal = take_literal(state_, in_);
  e.gives = literal.gives;
  e.literal = std::move(literal.value);
  return e;
}

expr expression_parser::function() {
  const auto& def = *find_function(in_.take().text);
  const nesting level(state_, in_);
  auto e = node(def.what, def.gives);
  in_.expect('(');
  for (const auto takes : def.takes) {
    if (takes == kind::nothing || (e.children.size() >= def.required && in_.at_symbol(')'))) {
      break;
    }
    if (!e.children.empty()) {
      in_.expect(',');
    }
    const auto position = in_.peek().position;
    auto argument = additive();
    coerce_operand(argument, takes);
    require(argument, takes, position);
    e.children.push_back(std::move(argument));
  }
  in_.expect(')');
  if (def.name == "substringof" && e.children.size() == 2) {
    std::swap(e.children[0], e.children[1]);
  }
  return e;
}

expr expression_parser::path() {
  const auto* v = find_variable(in_.peek().text);
  if (v == nullptr) {
    const auto& root = variables_[root_];
    return path_from({root.slot, root.resource, {}});
  }
  place at{v->slot, v->resource, {}};
  in_.take();
  in_.expect('/');
  return path_from(std::move(at));
}

expr expression_parser::path_from(place at) {
  for (;;) {
    if (in_.peek().what != token_kind::word) {
      in_.unexpected("a name");
      return {};
    }
    const auto name = in_.take();
    if (!in_.accept('/')) {
      return last_segment(std::move(at), name);
    }
    const auto along = open_navigation(state_.schema, *at.resource, name.text);
    if (along.navigation == nullptr) {
      in_.fail(
        "`" + at.resource->name + "` has no navigation `" + std::string(name.text) + "`",
        name.position);
      return {};
    }
    const char after = in_.after();
    const bool quantified = after == '(' && (in_.at_word("any") || in_.at_word("all"));
    if (quantified || in_.peek().what == token_kind::system) {
      return over(std::move(at), along);
    }
    if (!along.navigation->forward) {
      in_.fail(
        "`" + std::string(name.text) + "` may lead to several rows: use any, all or $count",
        name.position);
      return {};
    }
    if (at.path.size() >= state_.bounds.depth_max) {
      in_.fail("a path longer than " + std::to_string(state_.bounds.depth_max) + " steps");
      return {};
    }
    at.path.push_back(along);
    at.resource = along.to;
  }
}

expr expression_parser::last_segment(place at, const token& name) {
  const auto* f = open_field(*at.resource, name.text);
  if (f == nullptr) {
    const bool navigation =
      open_navigation(state_.schema, *at.resource, name.text).navigation != nullptr;
    in_.fail(
      "`" + at.resource->name + "` has no field `" + std::string(name.text) + "`"
        + (navigation ? ", only a navigation of that name" : ""),
      name.position);
    return {};
  }
  auto e = node(op::field, kind_of(*f));
  e.from = at.from;
  e.path = std::move(at.path);
  e.field = f;
  return e;
}

expr expression_parser::over(place at, step along) {
  const nesting level(state_, in_);
  const auto what = in_.take();
  if (what.text == "any" || what.text == "all") {
    return lambda(std::move(at), along, what.text == "any" ? op::any : op::all);
  }
  if (what.text != "$count") {
    in_.fail("expected `$count`, found `" + std::string(what.text) + "`", what.position);
    return {};
  }
  return counted(std::move(at), along);
}

expr expression_parser::lambda(place at, step along, op what) {
  auto e = node(what, kind::boolean);
  e.from = at.from;
  e.path = std::move(at.path);
  e.over = along;
  in_.expect('(');
  if (what == op::any && in_.accept(')')) {
    return e;
  }
  if (in_.peek().what != token_kind::word) {
    in_.unexpected("the name of a lambda variable");
    return e;
  }
  const auto name = in_.take();
  in_.expect(':');
  e.binds = bind(std::string(name.text), *along.to);
  e.children.push_back(condition());
  unbind();
  in_.expect(')');
  return e;
}

expr expression_parser::counted(place at, step along) {
  auto e = node(op::count, kind::number);
  e.from = at.from;
  e.path = std::move(at.path);
  e.over = along;
  if (!in_.accept('(')) {
    return e;
  }
  if (in_.peek().what != token_kind::system || in_.peek().text != "$filter") {
    in_.unexpected("`$filter`");
    return e;
  }
  in_.take();
  in_.expect('=');
  // In this filter names without a prefix belong to the rows that are counted.
  const auto outer = root_;
  e.binds = bind("", *along.to);
  root_ = variables_.size() - 1;
  e.children.push_back(condition());
  root_ = outer;
  unbind();
  in_.expect(')');
  return e;
}

expr expression_parser::in_list(expr left, std::size_t position) {
  auto e = node(op::in, kind::boolean);
  in_.expect('(');
  do {
    auto literal = take_literal(state_, in_);
    if (!coerce(literal.value, literal.gives, left.gives)) {
      in_.fail(
        "cannot compare " + std::string(describe(left.gives)) + " with "
          + std::string(describe(literal.gives)),
        literal.position);
    }
    if (messages::is_null(literal.value)) {
      e.list_has_null = true;
    } else {
      e.list.push_back(std::move(literal.value));
    }
    if (e.list.size() > state_.bounds.list_max) {
      in_.fail("a list of more than " + std::to_string(state_.bounds.list_max), position);
    }
  } while (in_.accept(','));
  in_.expect(')');
  std::sort(e.list.begin(), e.list.end());
  e.list.erase(std::unique(e.list.begin(), e.list.end()), e.list.end());
  e.children.push_back(std::move(left));
  return e;
}

expr expression_parser::compared(op what, expr left, expr right, std::size_t position) {
  coerce_operand(right, left.gives);
  coerce_operand(left, right.gives);
  if (!comparable(left.gives, right.gives)) {
    in_.fail(
      "cannot compare " + std::string(describe(left.gives)) + " with "
        + std::string(describe(right.gives)),
      position);
  }
  auto e = node(what, kind::boolean);
  if (left.what == op::literal && right.what == op::literal) {
    // `any(dau:1 eq 1)`: constants are settled here, so that the planner sees them.
    e.literal = compare_values(what, left.literal, right.literal);
    e.what = op::literal;
    return e;
  }
  e.children.push_back(std::move(left));
  e.children.push_back(std::move(right));
  return e;
}

expr expression_parser::arithmetic(op what, expr left, expr right, std::size_t position) {
  auto e = node(what, kind::number);
  const bool date = left.gives == kind::date || right.gives == kind::date;
  require(left, left.gives == kind::date ? kind::date : kind::number, position);
  require(right, right.gives == kind::date ? kind::date : kind::number, position);
  e.gives = date ? kind::date : kind::number;
  // A chain of operators leans left and is as deep as it is long.
  std::size_t depth = 1;
  for (const auto* l = &left; l->what >= op::add && l->what <= op::mod; l = &l->children.front()) {
    ++depth;
  }
  if (depth > state_.bounds.depth_max) {
    in_.fail("an arithmetic chain of more than " + std::to_string(state_.bounds.depth_max));
  }
  e.children.push_back(std::move(left));
  e.children.push_back(std::move(right));
  return e;
}

expr expression_parser::joined(op what, expr left, expr right, std::size_t position) {
  require(left, kind::boolean, position);
  require(right, kind::boolean, position);
  if (left.what == what) {
    left.children.push_back(std::move(right));
    return left;
  }
  auto e = node(what, kind::boolean);
  e.children.push_back(std::move(left));
  e.children.push_back(std::move(right));
  return e;
}

expr expression_parser::node(op what, kind gives) {
  if (++state_.nodes > state_.bounds.nodes_max) {
    in_.fail("more than " + std::to_string(state_.bounds.nodes_max) + " names and operators");
  }
  expr e;
  e.what = what;
  e.gives = gives;
  return e;
}

std::uint8_t expression_parser::bind(std::string name, const domain::resource_def& r) {
  if (variables_.size() >= variables_max) {
    in_.fail("more than " + std::to_string(variables_max - 1) + " lambdas around each other");
  }
  const auto slot = static_cast<std::uint8_t>(std::min(variables_.size(), variables_max - 1));
  variables_.push_back({std::move(name), &r, slot});
  return slot;
}

void expression_parser::unbind() {
  variables_.pop_back();
}

void expression_parser::require(const expr& e, kind wanted, std::size_t position) {
  if (e.gives != wanted && e.gives != kind::nothing) {
    in_.fail(
      "expected " + std::string(describe(wanted)) + ", found " + std::string(describe(e.gives)),
      position);
  }
}

const expression_parser::variable* expression_parser::find_variable(std::string_view name) const {
  // The innermost of a name wins.
  const auto it = std::find_if(variables_.rbegin(), variables_.rend(), [&](const variable& v) {
    return v.name == name;
  });
  return it == variables_.rend() ? nullptr : &*it;
}

}  // namespace slipway::gateways::odata
