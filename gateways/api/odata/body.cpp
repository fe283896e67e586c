#include "gateways/api/odata/body.hpp"

#include "gateways/api/odata/date.hpp"
#include "messages/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace slipway::gateways::odata {

using domain::field_def;
using domain::field_type;
using messages::errc;
using messages::fail;
using messages::field_value;
using messages::result;
using messages::value;
using nlohmann::json;

namespace {

constexpr std::size_t text_bytes_max = 1U << 20U;
/// Nesting of a JSON document in a field; bodies themselves are limited where they are parsed.
constexpr std::size_t document_depth_max = 64;
/// What JavaScript holds exactly.
constexpr double exact_max = 9'007'199'254'740'991.0;

tl::unexpected<messages::error> wrong(const field_def& f, std::string_view wanted) {
  return fail(errc::invalid_argument, "\"" + f.name + "\" must be " + std::string(wanted) + ".");
}

template <class T>
std::optional<T> number_in(const std::string& text) {
  T x{};
  const char* const stop = text.data() + text.size();
  const auto r = std::from_chars(text.data(), stop, x);
  return r.ec == std::errc{} && r.ptr == stop ? std::optional(x) : std::nullopt;
}

std::optional<std::int64_t> integer_in(const json& j) {
  if (j.is_number_unsigned()) {
    const auto u = j.get<std::uint64_t>();
    return u <= INT64_MAX ? std::optional(static_cast<std::int64_t>(u)) : std::nullopt;
  }
  if (j.is_number_integer()) {
    return j.get<std::int64_t>();
  }
  if (j.is_number_float()) {
    const auto d = j.get<double>();
    return std::trunc(d) == d && std::abs(d) <= exact_max
             ? std::optional(static_cast<std::int64_t>(d))
             : std::nullopt;
  }
  return j.is_string() ? number_in<std::int64_t>(j.get_ref<const std::string&>()) : std::nullopt;
}

result<value> integer(const field_def& f, const json& j) {
  const auto i = integer_in(j);
  return i ? result<value>(value{*i}) : wrong(f, "an integer");
}

result<value> real(const field_def& f, const json& j) {
  std::optional<double> d;
  if (j.is_number()) {
    d = j.get<double>();
  } else if (j.is_string()) {
    d = number_in<double>(j.get_ref<const std::string&>());
  }
  return d && std::isfinite(*d) ? result<value>(value{*d}) : wrong(f, "a number");
}

result<value> boolean(const field_def& f, const json& j) {
  if (j.is_boolean()) {
    return value{j.get<bool>()};
  }
  if (j == 0 || j == "false") {
    return value{false};
  }
  return j == 1 || j == "true" ? result<value>(value{true}) : wrong(f, "true or false");
}

result<value> date(const field_def& f, const json& j) {
  const auto ms = j.is_string() ? parse_date(j.get_ref<const std::string&>()) : integer_in(j);
  if (!ms || *ms < date_min || *ms > date_max) {
    return wrong(f, "a date: ISO 8601 text or milliseconds since 1970");
  }
  return value{*ms};
}

result<value> text(const field_def& f, const json& j);

result<value> reference(const field_def& f, const json& j) {
  if (f.text_allowed && j.is_string() && !integer_in(j)) {
    return text(f, j);
  }
  const auto id = j.is_object() && j.contains("__id") ? integer_in(j.at("__id")) : integer_in(j);
  return id ? result<value>(value{*id}) : wrong(f, "the id of a " + f.references);
}

tl::unexpected<messages::error> too_long(const field_def& f, std::size_t bytes_max) {
  return fail(
    errc::rule_violated,
    "\"" + f.name + "\" must not be longer than " + std::to_string(bytes_max) + " bytes.");
}

std::size_t bytes_max_of(const field_def& f) {
  return f.length_max == 0 ? text_bytes_max : f.length_max;
}

result<value> text(const field_def& f, const json& j) {
  if (!j.is_string()) {
    return wrong(f, "a text");
  }
  const auto& s = j.get_ref<const std::string&>();
  if (s.size() > bytes_max_of(f)) {
    return too_long(f, bytes_max_of(f));
  }
  if (s.find('\0') != std::string::npos) {
    return wrong(f, "a text without NUL");
  }
  const bool allowed =
    f.allowed.empty() || std::find(f.allowed.begin(), f.allowed.end(), s) != f.allowed.end();
  if (!allowed) {
    std::string words;
    for (const auto& word : f.allowed) {
      words += (words.empty() ? "`" : ", `") + word + "`";
    }
    return fail(errc::rule_violated, "\"" + f.name + "\" must be one of " + words + ".");
  }
  return value{s};
}

result<value> document(const field_def& f, const json& j) {
  messages::json_text out;
  if (j.is_string()) {
    const auto parsed = messages::parse_json(j.get_ref<const std::string&>(), document_depth_max);
    if (!parsed) {
      return wrong(f, "JSON");
    }
    out.text = messages::dump_json(*parsed);
  } else {
    out.text = messages::dump_json(j);
  }
  if (out.text.size() > bytes_max_of(f)) {
    return too_long(f, bytes_max_of(f));
  }
  return value{std::move(out)};
}

result<value> convert(const field_def& f, const json& j) {
  if (j.is_null()) {
    return f.required ? fail(errc::rule_violated, "\"" + f.name + "\" is required.")
                      : result<value>(value{});
  }
  switch (f.type) {
    case field_type::integer:
    case field_type::big_integer:
      return integer(f, j);
    case field_type::number:
      return real(f, j);
    case field_type::text:
      return text(f, j);
    case field_type::boolean:
      return boolean(f, j);
    case field_type::date:
      return date(f, j);
    case field_type::json:
      return document(f, j);
    case field_type::reference:
      return reference(f, j);
  }
  return wrong(f, "something else");
}

}  // namespace

result<std::vector<field_value>> parse_body(
  const domain::resource_def& resource,
  const json& body) {
  if (!body.is_object()) {
    return fail(errc::invalid_argument, "the body must be a JSON object");
  }
  std::vector<field_value> values;
  for (const auto& [name, member] : body.items()) {
    const auto* f = resource.find_field(name);
    if (f == nullptr || f->hidden || f->read_only) {
      continue;
    }
    auto v = convert(*f, member);
    if (!v) {
      return tl::unexpected(v.error());
    }
    const auto twice = std::find_if(values.begin(), values.end(), [&](const field_value& other) {
      return other.field == f->number;
    });
    if (twice == values.end()) {
      values.push_back({f->number, std::move(*v)});
    } else if (twice->value != *v) {
      return fail(
        errc::invalid_argument,
        "\"" + f->name + "\" is given twice, with different values.");
    }
  }
  if (values.empty()) {
    return fail(errc::invalid_argument, "the body sets no field of " + resource.name);
  }
  std::sort(values.begin(), values.end(), [](const field_value& a, const field_value& b) {
    return a.field < b.field;
  });
  return values;
}

}  // namespace slipway::gateways::odata
