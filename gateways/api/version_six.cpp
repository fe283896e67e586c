#include "gateways/api/version_six.hpp"

#include "domain/numbers.hpp"
#include "domain/resource_model.hpp"
#include "gateways/api/odata/body.hpp"
#include "gateways/api/odata/parser.hpp"
#include "messages/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace slipway::gateways::api::six {

using messages::errc;
using messages::fail;
using messages::field_value;
using messages::result;
using messages::value;

namespace {

constexpr std::string_view own_applications = "my_application";

/// `application(7)` for `my_application(7)`; nothing for other resources.
std::optional<std::string> without_my(std::string_view path) {
  const bool own = path.starts_with(own_applications);
  const auto rest = own ? path.substr(own_applications.size()) : path;
  const bool ends =
    rest.empty() || rest.front() == '(' || rest.front() == '/' || rest.front() == '%';
  return own && ends ? std::optional("application" + std::string(rest)) : std::nullopt;
}

odata::expr both(odata::expr a, odata::expr b) {
  odata::expr out;
  out.what = odata::op::conjunction;
  out.gives = odata::kind::boolean;
  out.children.push_back(std::move(a));
  out.children.push_back(std::move(b));
  return out;
}

/// Which field the slug in `device_type` sets; 0 = the resource has none.
std::uint16_t type_of(const domain::resource_def& resource) {
  const auto& n = domain::numbers::get();
  if (resource.number == n.device.resource) {
    return n.device.is_of__device_type;
  }
  return resource.number == n.application.resource ? n.application.is_for__device_type
                                                   : std::uint16_t{0};
}

result<field_value>
device_type(std::uint16_t field, const nlohmann::json& slug, const domain::row_source& rows) {
  const auto& a = domain::numbers::get().device_type_alias;
  std::optional<std::int64_t> id;
  if (slug.is_string()) {
    const std::array<value, 1> key{slug.get<std::string>()};
    id = rows.first(a.resource, a.is_referenced_by__alias, key);
  }
  const auto alias = id ? rows.get(a.resource, *id) : std::nullopt;
  return alias ? result<field_value>(field_value{field, messages::field(*alias, a.device_type)})
               : fail(errc::invalid_argument, "\"device_type\" must be the slug of a device type.");
}

/// Puts what only v6 has into the words of the model. Errors: invalid_argument.
result<void> translate(
  const domain::resource_def& known,
  const domain::resource_def& resource,
  std::vector<field_value>& values) {
  const auto& release = domain::numbers::get().release;
  std::vector<field_value> out;
  for (auto& v : values) {
    const auto& f = resource.fields[v.field];
    if (v.field < known.fields.size()) {
      const bool document = known.fields[v.field].type == domain::field_type::json
                            && std::holds_alternative<std::string>(v.value);
      const auto parsed = document ? messages::parse_json(std::get<std::string>(v.value))
                                   : result<nlohmann::json>(nlohmann::json());
      if (!parsed) {
        return fail(errc::invalid_argument, "\"" + f.name + "\" must be JSON.");
      }
      if (document) {
        v.value = messages::json_text{messages::dump_json(*parsed)};
      }
      out.push_back(std::move(v));
    } else if (f.name == "release_type" && !messages::is_null(v.value)) {
      out.push_back({release.is_final, messages::as_text(v.value) == "final"});
    } else if (!messages::is_null(v.value)) {
      return fail(errc::invalid_argument, "\"" + f.name + "\" can only be null.");
    }
  }
  values = std::move(out);
  return {};
}

}  // namespace

result<odata::request_line> parse_target(std::string_view path, std::string_view raw_query) {
  const auto& model = *domain::resource_model_v6();
  const auto own = without_my(path);
  auto line = odata::parse_target(model, "v6", own ? *own : path, raw_query);
  if (!line || !own) {
    return line;
  }
  auto directly = odata::parse_target(
    model,
    "v6",
    "application",
    "$filter=is_directly_accessible_by__user/any(u:1 eq 1)");
  auto& filter = line->rows.filter;
  filter = filter ? both(std::move(*directly->rows.filter), std::move(*filter))
                  : std::move(*directly->rows.filter);
  return line;
}

result<std::vector<field_value>> parse_body(
  const domain::schema& model,
  const domain::resource_def& resource,
  const nlohmann::json& body,
  const domain::row_source& rows) {
  const auto* known = model.find(resource.number);
  if (known == nullptr) {
    return fail(errc::unauthorized, "this resource cannot be written");
  }
  auto rest = body;
  std::optional<field_value> type;
  if (const auto field = type_of(resource);
      field != 0 && body.is_object() && body.contains("device_type")) {
    const auto found = device_type(field, body.at("device_type"), rows);
    if (!found) {
      return tl::unexpected(found.error());
    }
    type = *found;
    rest.erase("device_type");
  }
  if (type && rest.empty()) {
    return std::vector<field_value>{*type};
  }
  auto values = odata::parse_body(resource, rest);
  if (!values) {
    return values;
  }
  if (auto ok = translate(*known, resource, *values); !ok) {
    return tl::unexpected(ok.error());
  }
  const bool twice = type && std::any_of(values->begin(), values->end(), [&](const auto& v) {
                       return v.field == type->field;
                     });
  if (type && !twice) {
    values->push_back(*type);
  }
  std::sort(values->begin(), values->end(), [](const field_value& a, const field_value& b) {
    return a.field < b.field;
  });
  return values;
}

}  // namespace slipway::gateways::api::six
