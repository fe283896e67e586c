#include "gateways/api/odata/metadata.hpp"

#include <algorithm>
#include <string_view>

namespace slipway::gateways::odata {
namespace {

using domain::field_def;
using domain::field_type;
using domain::navigation_def;
using domain::resource_def;

constexpr std::string_view space = "slipway.";

std::string_view edm_type(field_type t) {
  switch (t) {
    case field_type::integer:
    case field_type::big_integer:
    case field_type::reference:
      return "Edm.Int64";
    case field_type::number:
      return "Edm.Double";
    case field_type::boolean:
      return "Edm.Boolean";
    case field_type::date:
      return "Edm.DateTimeOffset";
    case field_type::json:
      return "Edm.Untyped";
    case field_type::text:
      break;
  }
  return "Edm.String";
}

// Names of the schema need no escapes in XML: they are letters, digits and underscores.
void attribute(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += "=\"";
  out += value;
  out += '"';
}

void property(std::string& out, const field_def& f) {
  out += "<Property";
  attribute(out, "Name", f.name);
  attribute(out, "Type", edm_type(f.type));
  const bool never_null = f.number < 3 || f.required;
  attribute(out, "Nullable", never_null ? "false" : "true");
  if (f.type == field_type::text && f.length_max > 0) {
    attribute(out, "MaxLength", std::to_string(f.length_max));
  }
  out += "/>";
}

bool is_hidden(const resource_def& r, const navigation_def& n) {
  return n.forward && r.fields[n.via].hidden;
}

void navigation(
  std::string& out,
  const domain::schema& schema,
  const resource_def& r,
  const navigation_def& n,
  const std::string& name) {
  const auto target = std::string(space) + schema.find(n.resource)->name;
  out += "<NavigationProperty";
  attribute(out, "Name", name);
  attribute(out, "Type", n.forward ? target : "Collection(" + target + ")");
  if (n.forward) {
    attribute(out, "Nullable", r.fields[n.via].required ? "false" : "true");
  }
  out += "/>";
}

void entity_type(std::string& out, const domain::schema& schema, const resource_def& r) {
  out += "<EntityType";
  attribute(out, "Name", r.name);
  out += "><Key><PropertyRef Name=\"id\"/></Key>";
  for (const auto& f : r.fields) {
    if (!f.hidden && f.type != field_type::reference) {
      property(out, f);
    }
  }
  for (const auto& n : r.navigations) {
    for (const auto& name : n.names) {
      if (!is_hidden(r, n)) {
        navigation(out, schema, r, n, name);
      }
    }
  }
  out += "</EntityType>";
}

void entity_set(
  std::string& out,
  const domain::schema& schema,
  const resource_def& r,
  const std::string& name) {
  out += "<EntitySet";
  attribute(out, "Name", name);
  attribute(out, "EntityType", std::string(space) + r.name);
  out += '>';
  for (const auto& n : r.navigations) {
    for (const auto& path : n.names) {
      if (is_hidden(r, n)) {
        continue;
      }
      out += "<NavigationPropertyBinding";
      attribute(out, "Path", path);
      attribute(out, "Target", schema.find(n.resource)->name);
      out += "/>";
    }
  }
  out += "</EntitySet>";
}

}  // namespace

std::string metadata_xml(const domain::schema& schema) {
  std::string out =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    "<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">"
    "<edmx:DataServices>"
    "<Schema Namespace=\"slipway\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">";
  for (const auto& r : schema.resources()) {
    entity_type(out, schema, r);
  }
  out += "<EntityContainer Name=\"model\">";
  for (const auto& r : schema.resources()) {
    entity_set(out, schema, r, r.name);
    for (const auto& alias : r.aliases) {
      entity_set(out, schema, r, alias);
    }
  }
  out += "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>\n";
  return out;
}

}  // namespace slipway::gateways::odata
