#include "gateways/api/odata/parser.hpp"

#include "gateways/api/odata/expression_parser.hpp"
#include "gateways/api/odata/lexer.hpp"
#include "gateways/api/odata/literals.hpp"
#include "gateways/api/odata/parse_state.hpp"
#include "gateways/api/odata/uri.hpp"

#include <algorithm>
#include <array>

namespace slipway::gateways::odata {

using messages::errc;
using messages::fail;
using messages::result;

namespace {

constexpr std::array<std::string_view, 6>
  known_options{"$filter", "$select", "$expand", "$orderby", "$top", "$skip"};

/// Parses the options of a request or of one expanded navigation into a query.
class options_parser {
public:
  options_parser(parse_state& state, query& into) : state_(state), into_(into) {}

  /// False when `name` is no option that means something here.
  bool option(std::string_view name, lexer& in) {
    const auto known = std::find(known_options.begin(), known_options.end(), name);
    if (known == known_options.end()) {
      return false;
    }
    const auto bit = 1U << static_cast<unsigned>(known - known_options.begin());
    if ((given_ & bit) != 0) {
      in.fail("`" + std::string(name) + "` given twice");
    }
    given_ |= bit;
    if (in.peek().what == token_kind::end || in.at_symbol(';') || in.at_symbol(')')) {
      return true;  // `$filter=` with nothing is as good as none
    }
    read(name, in);
    return true;
  }

  void finish() {
    if (!selected_) {
      select_all();
    }
    // For a reference that is both selected and expanded, expansion wins.
    std::erase_if(into_.columns, [&](const column& c) {
      return std::any_of(into_.expand.begin(), into_.expand.end(), [&](const expansion& e) {
        return e.name == c.name;
      });
    });
  }

private:
  void read(std::string_view name, lexer& in) {
    if (name == "$filter") {
      into_.filter = expression_parser(state_, in, *into_.resource).condition();
    } else if (name == "$select") {
      select(in);
    } else if (name == "$expand") {
      do {
        expand(in);
      } while (in.accept(','));
    } else if (name == "$orderby") {
      do {
        orderby(in);
      } while (in.accept(','));
    } else if (name == "$top") {
      into_.top = whole(in);
    } else {
      into_.skip = whole(in);
    }
  }

  void select_all() {
    for (const auto& f : into_.resource->fields) {
      if (!f.hidden && !f.unlisted) {
        add(f.name, &f);
      }
    }
  }

  void add(std::string_view name, const domain::field_def* f) {
    const bool twice =
      std::any_of(into_.columns.begin(), into_.columns.end(), [&](const column& c) {
        return c.name == name;
      });
    if (!twice) {
      into_.columns.push_back({std::string(name), f});
    }
  }

  void select(lexer& in) {
    selected_ = true;
    std::size_t names = 0;
    do {
      if (in.accept('*')) {
        select_all();
        continue;
      }
      const auto name = in.peek();
      if (name.what != token_kind::word) {
        in.unexpected("a field");
        return;
      }
      const auto* f = open_field(*into_.resource, name.text);
      if (f == nullptr) {
        in.fail("`" + into_.resource->name + "` has no field `" + std::string(name.text) + "`");
        return;
      }
      if (++names > state_.bounds.columns_max) {
        in.fail("more than " + std::to_string(state_.bounds.columns_max) + " names");
      }
      add(name.text, f);
      in.take();
    } while (in.accept(','));
  }

  void expand(lexer& in) {
    const nesting level(state_, in);
    const auto name = in.peek();
    if (name.what != token_kind::word) {
      in.unexpected("a navigation");
      return;
    }
    expansion e;
    e.name = std::string(name.text);
    e.along = open_navigation(state_.schema, *into_.resource, name.text);
    e.rows.resource = e.along.to;
    if (e.along.navigation == nullptr) {
      in.fail("`" + into_.resource->name + "` has no navigation `" + e.name + "`");
      return;
    }
    for (const auto& other : into_.expand) {
      if (other.name == e.name) {
        in.fail("`" + e.name + "` expanded twice");
      }
    }
    if (++state_.expands > state_.bounds.expands_max) {
      in.fail("more than " + std::to_string(state_.bounds.expands_max) + " expanded navigations");
    }
    in.take();
    if (in.accept('/')) {
      e.count = true;
      const auto word = in.take();
      if (word.text != "$count") {
        in.fail("only `$count` may follow an expanded navigation", word.position);
      }
    }
    nested(e.rows, in);
    into_.expand.push_back(std::move(e));
  }

  void nested(query& rows, lexer& in) {
    options_parser inner(state_, rows);
    if (in.accept('(')) {
      while (!in.accept(')') && !in.failed()) {
        inner.nested_option(in);
        if (!in.accept(';') && !in.accept('&') && !in.at_symbol(')')) {
          in.unexpected("`;` or `)`");
        }
      }
    }
    inner.finish();
  }

  void nested_option(lexer& in) {
    const auto name = in.peek();
    if (name.what != token_kind::system && name.what != token_kind::word) {
      in.unexpected("an option");
      return;
    }
    in.take();
    in.expect('=');
    if (!option(name.text, in)) {
      skip_value(in);
    }
  }

  static void skip_value(lexer& in) {
    std::size_t open = 0;
    while (in.peek().what != token_kind::end) {
      const bool closes = in.at_symbol(')');
      if (open == 0 && (closes || in.at_symbol(';') || in.at_symbol('&'))) {
        return;
      }
      open += in.at_symbol('(') ? 1 : 0;
      open -= closes ? 1 : 0;
      in.take();
    }
  }

  void orderby(lexer& in) {
    order o;
    o.by = expression_parser(state_, in, *into_.resource).operand();
    if (in.accept_word("asc")) {
      o.descending = false;
    } else {
      in.accept_word("desc");
    }
    if (into_.orderby.size() == state_.bounds.orders_max) {
      in.fail("more than " + std::to_string(state_.bounds.orders_max) + " keys");
    }
    into_.orderby.push_back(std::move(o));
  }

  static std::uint64_t whole(lexer& in) {
    const auto literal = in.peek();
    const auto* i = std::get_if<std::int64_t>(&literal.value);
    if (i == nullptr || *i < 0) {
      in.unexpected("a number that is not negative");
      return 0;
    }
    in.take();
    return static_cast<std::uint64_t>(*i);
  }

  parse_state& state_;
  query& into_;
  unsigned given_ = 0;
  bool selected_ = false;
};

void read_key_part(
  parse_state& state,
  lexer& in,
  request_line& into,
  std::string_view name,
  std::size_t position) {
  const auto& r = into.resource();
  const auto* f = open_field(r, name);
  if (f == nullptr || f->type == domain::field_type::json) {
    in.fail("`" + r.name + "` has no key `" + std::string(name) + "`", position);
    return;
  }
  for (const auto& part : into.key) {
    if (part.field == f) {
      in.fail("key `" + f->name + "` given twice", position);
    }
  }
  auto literal = take_literal(state, in);
  const bool fits = coerce(literal.value, literal.gives, kind_of(*f));
  if (!fits || messages::is_null(literal.value)) {
    in.fail("a value that key `" + f->name + "` cannot have", literal.position);
  }
  into.key.push_back({f, std::move(literal.value)});
}

void read_key(parse_state& state, lexer& in, request_line& into) {
  if (in.peek().what != token_kind::word) {
    read_key_part(state, in, into, "id", in.peek().position);
    in.expect(')');
    return;
  }
  do {
    const auto name = in.peek();
    if (name.what != token_kind::word) {
      in.unexpected("the name of a key");
      return;
    }
    in.take();
    in.expect('=');
    read_key_part(state, in, into, name.text, name.position);
  } while (in.accept(','));
  in.expect(')');
}

result<void> read_path(parse_state& state, const std::string& path, request_line& into) {
  lexer in(path, "path");
  if (in.peek().what != token_kind::word) {
    in.unexpected("a resource");
    return tl::unexpected(in.failure());
  }
  const auto name = in.take();
  into.rows.resource = state.schema.find(name.text);
  if (into.rows.resource == nullptr) {
    return fail(errc::not_found, "no such resource: " + std::string(name.text));
  }
  if (in.accept('(')) {
    read_key(state, in, into);
  }
  if (in.accept('/') && in.peek().what != token_kind::end) {
    const auto last = in.take();
    if (last.text == "$count") {
      into.count = true;
    } else if (last.what == token_kind::word) {
      into.action = std::string(last.text);
    } else {
      in.fail("expected `$count` or an action", last.position);
    }
  }
  if (in.peek().what != token_kind::end) {
    in.unexpected("the end");
  }
  if (in.failed()) {
    return tl::unexpected(in.failure());
  }
  return {};
}

result<void> read_options(
  parse_state& state,
  std::vector<std::pair<std::string, std::string>> options,
  request_line& into) {
  options_parser parser(state, into.rows);
  for (auto& [name, value] : options) {
    if (name.empty() || name.front() != '$') {
      into.custom.emplace_back(std::move(name), std::move(value));
      continue;
    }
    lexer in(value, name);
    // An option without a meaning may hold what our tokens cannot: it is not looked at.
    const bool meant = parser.option(name, in);
    if (meant && in.peek().what != token_kind::end) {
      in.unexpected("an operator or the end");
    }
    if (meant && in.failed()) {
      return tl::unexpected(in.failure());
    }
  }
  parser.finish();
  return {};
}

}  // namespace

result<request_line> parse_target(
  const domain::schema& schema,
  std::string_view version,
  std::string_view path,
  std::string_view raw_query,
  const limits& bounds) {
  if (version != "v6" && version != "v7") {
    return fail(errc::not_found, "no such API version");
  }
  if (path.size() + raw_query.size() > bounds.query_bytes_max) {
    return fail(
      errc::invalid_argument,
      "an address of more than " + std::to_string(bounds.query_bytes_max) + " bytes");
  }
  request_line line;
  line.version = version == "v6" ? dialect::v6 : dialect::v7;
  const auto text = percent_decode(path, false);
  if (!text) {
    return tl::unexpected(text.error());
  }
  auto options = split_query(raw_query, bounds.options_max);
  if (!options) {
    return tl::unexpected(options.error());
  }
  parse_state state{schema, bounds, {}};
  std::erase_if(*options, [&](auto& o) {
    const bool parameter = o.first.starts_with('@');
    if (parameter) {
      state.parameters.push_back(std::move(o));
    }
    return parameter;
  });
  return read_path(state, *text, line)
    .and_then([&] { return read_options(state, std::move(*options), line); })
    .map([&] { return std::move(line); });
}

}  // namespace slipway::gateways::odata
