#include "gateways/builder/build_request.hpp"

#include "domain/access.hpp"
#include "domain/numbers.hpp"
#include "runtime/http_text.hpp"

#include <array>

namespace slipway::gateways::builder {
namespace {

using domain::numbers::get;
using messages::as_bool;
using messages::as_int;
using messages::as_text;
using messages::errc;
using messages::fail;
using messages::field;
using messages::result;
using messages::value;

constexpr std::size_t path_bytes_max = 1024;

result<build_fleet> describe(
  const services& s,
  const messages::requester& by,
  const domain::row_source& rows,
  const messages::row& fleet) {
  const auto& a = get().application;
  const auto& def = *s.model->find(a.resource);
  const domain::access rights(*s.model, by, rows);
  if (!rights.may_see(def, fleet)) {
    return fail(errc::not_found, "no such fleet, or you have no access to it");
  }
  if (!rights.may_do(domain::action::push_image, def, fleet)) {
    return fail(errc::unauthorized, "not permitted to build for this fleet");
  }
  build_fleet out;
  out.id = messages::id_of(fleet);
  out.organization = as_int(field(fleet, a.organization));
  out.slug = as_text(field(fleet, a.slug));
  out.target.fleet = as_text(field(fleet, a.app_name));
  if (
    const auto type =
      rows.get(get().device_type.resource, as_int(field(fleet, a.is_for__device_type)))) {
    const auto& cpu = s.model->at("cpu_architecture");
    out.target.device_type = as_text(field(*type, get().device_type.slug));
    const auto architecture =
      rows.get(cpu.number, as_int(field(*type, get().device_type.is_of__cpu_architecture)));
    out.target.architecture =
      architecture ? as_text(field(*architecture, cpu.field("slug"))) : std::string();
  }
  const auto& kind = s.model->at("application_type");
  if (const auto type = rows.get(kind.number, as_int(field(fleet, a.application_type)))) {
    out.target.multicontainer = as_bool(field(*type, kind.field("supports_multicontainer")), true);
  }
  const auto& variable = get().build_environment_variable;
  const std::array<value, 1> key{out.id};
  for (const auto id : rows.all(variable.resource, variable.parent, key)) {
    if (const auto r = rows.get(variable.resource, id)) {
      out.target.variables.push_back(
        {as_text(field(*r, variable.key)), as_text(field(*r, variable.value))});
    }
  }
  return out;
}

}  // namespace

result<build_request> parse_build_request(std::string_view query) {
  build_request out;
  const auto pairs = runtime::parse_query(query);
  if (!pairs) {
    return fail(errc::invalid_argument, "the query is malformed");
  }
  for (const auto& [name, text] : *pairs) {
    const bool yes = text == "true" || text == "1";
    if (name == "slug") {
      out.slug = text;
    } else if (name == "dockerfilePath") {
      out.dockerfile_path = text;
    } else if (name == "nocache") {
      out.no_cache = yes;
    } else if (name == "headless") {
      out.headless = yes;
    } else if (name == "isdraft") {
      out.draft = yes;
    }
  }
  if (out.dockerfile_path.size() > path_bytes_max || out.slug.size() > path_bytes_max) {
    return fail(errc::invalid_argument, "dockerfilePath or slug is too long");
  }
  return out;
}

result<build_fleet>
find_build_fleet(const services& s, const messages::requester& by, const std::string& slug) {
  const auto view = s.store.rows->view();
  const auto& a = get().application;
  const std::array<value, 1> key{slug};
  const auto id = view->first(a.resource, a.slug, key);
  const auto fleet = id ? view->get(a.resource, *id) : std::nullopt;
  return fleet ? describe(s, by, *view, *fleet)
               : fail(errc::not_found, "no such fleet, or you have no access to it");
}

result<build_fleet>
build_fleet_of(const services& s, const messages::requester& by, std::int64_t fleet) {
  const auto view = s.store.rows->view();
  const auto row = view->get(get().application.resource, fleet);
  return row ? describe(s, by, *view, *row) : fail(errc::not_found, "no such fleet");
}

}  // namespace slipway::gateways::builder
