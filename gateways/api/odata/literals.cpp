#include "gateways/api/odata/literals.hpp"

#include "gateways/api/odata/date.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace slipway::gateways::odata {

using messages::value;

namespace {

bool number_from(std::string_view text, value& out) {
  const char* const stop = text.data() + text.size();
  std::int64_t i = 0;
  if (const auto r = std::from_chars(text.data(), stop, i); r.ec == std::errc{} && r.ptr == stop) {
    out = i;
    return true;
  }
  double d = 0;
  const auto r = std::from_chars(text.data(), stop, d);
  if (r.ec != std::errc{} || r.ptr != stop || !std::isfinite(d)) {
    return false;
  }
  out = d;
  return true;
}

bool to_number(value& v) {
  const auto* s = std::get_if<std::string>(&v);
  return s != nullptr && number_from(std::string(*s), v);
}

bool to_text(value& v) {
  if (const auto* i = std::get_if<std::int64_t>(&v)) {
    v = std::to_string(*i);
  } else if (const auto* b = std::get_if<bool>(&v)) {
    v = std::string(*b ? "true" : "false");
  } else {
    return false;
  }
  return true;
}

bool to_date(value& v) {
  const auto* s = std::get_if<std::string>(&v);
  const auto ms = s != nullptr ? parse_date(*s) : std::nullopt;
  if (ms) {
    v = *ms;
  }
  return ms.has_value();
}

bool to_boolean(value& v) {
  if (v == value{std::int64_t{0}} || v == value{std::string("false")}) {
    v = false;
  } else if (v == value{std::int64_t{1}} || v == value{std::string("true")}) {
    v = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::string_view describe(kind k) {
  switch (k) {
    case kind::nothing:
      return "null";
    case kind::boolean:
      return "a boolean";
    case kind::number:
      return "a number";
    case kind::text:
      return "a text";
    case kind::date:
      return "a date";
    case kind::json:
      return "a JSON document";
  }
  return "null";
}

bool comparable(kind a, kind b) {
  const auto is_number = [](kind k) { return k == kind::number || k == kind::date; };
  return a == b || a == kind::nothing || b == kind::nothing || (is_number(a) && is_number(b));
}

kind kind_of(const domain::field_def& f) {
  switch (f.type) {
    case domain::field_type::integer:
    case domain::field_type::big_integer:
    case domain::field_type::number:
    case domain::field_type::reference:
      return kind::number;
    case domain::field_type::text:
      return kind::text;
    case domain::field_type::boolean:
      return kind::boolean;
    case domain::field_type::date:
      return kind::date;
    case domain::field_type::json:
      return kind::json;
  }
  return kind::nothing;
}

bool coerce(value& literal, kind& gives, kind wanted) {
  if (comparable(gives, wanted)) {
    return true;
  }
  bool done = false;
  switch (wanted) {
    case kind::number:
      done = to_number(literal);
      break;
    case kind::text:
      done = to_text(literal);
      break;
    case kind::date:
      done = to_date(literal);
      break;
    case kind::boolean:
      done = to_boolean(literal);
      break;
    default:
      break;
  }
  gives = done ? wanted : gives;
  return done;
}

token take_literal(parse_state& state, lexer& in) {
  const auto word_literal = [](token& w) {
    if (w.what == token_kind::word && (w.text == "true" || w.text == "false")) {
      w.value = w.text == "true";
      w.gives = kind::boolean;
      return true;
    }
    return w.what == token_kind::literal || (w.what == token_kind::word && w.text == "null");
  };
  auto at = in.peek();
  if (at.what == token_kind::parameter) {
    const auto it =
      std::find_if(state.parameters.begin(), state.parameters.end(), [&](const auto& p) {
        return p.first == at.text;
      });
    if (it == state.parameters.end()) {
      in.fail("parameter `" + std::string(at.text) + "` has no value");
      return {};
    }
    lexer text(it->second, it->first);
    auto found = text.take();
    if (!word_literal(found) || text.peek().what != token_kind::end || text.failed()) {
      in.fail("parameter `" + std::string(at.text) + "` is not one literal");
      return {};
    }
    found.position = at.position;
    found.text = in.take().text;
    return found;
  }
  if (!word_literal(at)) {
    in.unexpected("a literal");
    return {};
  }
  in.take();
  return at;
}

}  // namespace slipway::gateways::odata
