#include "cli/commands_fleet.hpp"

#include "cli/lookup.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

messages::result<std::int64_t> find_organization(context& c, const std::string& handle) {
  if (!handle.empty()) {
    return c.server
      .first(
        {"organization(handle=" + odata_text(handle) + ")", "", "id", "", "", 0},
        "organization \"" + printable(handle) + "\"")
      .map([](const json& row) { return int_of(row, "id"); });
  }
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  const auto rows = c.server.query(
    {"organization",
     "organization_membership/any(orm:orm/user eq " + std::to_string(int_of(*me, "actorTypeId"))
       + ")",
     "id,handle",
     "",
     "name asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->size() == 1) {
    return int_of(rows->front(), "id");
  }
  // Of several, one's own is meant.
  const auto own = std::find_if(rows->begin(), rows->end(), [&](const json& row) {
    return text_of(row, "handle") == text_of(*me, "username");
  });
  if (own != rows->end()) {
    return int_of(*own, "id");
  }
  if (rows->empty()) {
    return fail(errc::not_found, "you are in no organization");
  }
  std::string handles;
  for (const auto& row : *rows) {
    handles += (handles.empty() ? "" : ", ") + printable(text_of(row, "handle"));
  }
  return fail(errc::invalid_argument, "name one with --organization: " + handles);
}

json summary(const json& row) {
  const auto devices = row.find("owns__device");
  int all = 0;
  int online = 0;
  if (devices != row.end() && devices->is_array()) {
    for (const auto& d : *devices) {
      all += 1;
      online += bool_of(d, "is_online") ? 1 : 0;
    }
  }
  return {
    {"id", int_of(row, "id")},
    {"name", text_of(row, "app_name")},
    {"slug", text_of(row, "slug")},
    {"device_type", text_of(expanded(row, "is_for__device_type"), "slug")},
    {"devices", all},
    {"online", online}};
}

}  // namespace

messages::result<void> confirm(const std::string& what, bool yes) {
  if (yes) {
    return {};
  }
  const auto answer = ask(what + "? Type yes", false);
  if (!answer) {
    return fail(answer.error().code, "not confirmed: --yes confirms without asking");
  }
  return *answer == "yes" ? messages::result<void>{}
                          : fail(errc::invalid_argument, "not confirmed");
}

messages::result<void> fleet_create(context& c, const fleet_create_args& args) {
  const auto type = c.server.first(
    {"device_type",
     "device_type_alias/any(dta:dta/is_referenced_by__alias eq " + odata_text(args.type) + ")",
     "id",
     "",
     "name asc",
     1},
    "device type \"" + printable(args.type) + "\" (see `slipway device-type list`)");
  if (!type) {
    return tl::unexpected(type.error());
  }
  const auto organization = find_organization(c, args.organization);
  if (!organization) {
    return tl::unexpected(organization.error());
  }
  const auto fleet = c.server.post(
    "/v7/application",
    {{"app_name", args.name},
     {"is_for__device_type", int_of(*type, "id")},
     {"organization", *organization},
     {"is_of__class", "fleet"}});
  if (!fleet) {
    return tl::unexpected(fleet.error());
  }
  if (c.out.json()) {
    c.out.print(
      {{"id", int_of(*fleet, "id")},
       {"name", text_of(*fleet, "app_name")},
       {"slug", text_of(*fleet, "slug")},
       {"uuid", text_of(*fleet, "uuid")},
       {"device_type", args.type}});
  } else {
    c.out.line("created fleet " + printable(text_of(*fleet, "slug")));
  }
  return {};
}

messages::result<void> fleet_list(context& c) {
  const auto rows = c.server.query(
    {"application",
     "is_directly_accessible_by__user/any(dau:1 eq 1)",
     "id,app_name,slug",
     "is_for__device_type($select=slug),owns__device($select=is_online)",
     "app_name asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto s = summary(row);
    cells.push_back(
      {text_of(s, "slug"),
       text_of(s, "device_type"),
       std::to_string(int_of(s, "online")) + " of " + std::to_string(int_of(s, "devices"))});
    all.push_back(s);
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no fleets yet; create one with `slipway fleet create NAME --type TYPE`");
  } else {
    c.out.table({"FLEET", "DEVICE TYPE", "ONLINE"}, cells);
  }
  return {};
}

messages::result<void> fleet_show(context& c, const std::string& name) {
  const auto row = find_fleet(
    c.server,
    name,
    "id,app_name,slug,uuid,should_track_latest_release,created_at",
    "is_for__device_type($select=slug),owns__device($select=is_online),"
    "should_be_running__release($select=id,commit,raw_version)");
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto s = summary(*row);
  const auto release = expanded(*row, "should_be_running__release");
  s["uuid"] = text_of(*row, "uuid");
  s["release"] = text_of(release, "commit");
  s["tracks_latest"] = bool_of(*row, "should_track_latest_release");
  if (c.out.json()) {
    c.out.print(s);
    return {};
  }
  c.out.details(
    {{"fleet", text_of(s, "slug")},
     {"id", text_of(s, "id")},
     {"uuid", text_of(s, "uuid")},
     {"device type", text_of(s, "device_type")},
     {"online", text_of(s, "online") + " of " + text_of(s, "devices")},
     {"release", text_of(s, "release")},
     {"tracks latest", bool_of(s, "tracks_latest") ? "yes" : "no"}});
  return {};
}

messages::result<void> fleet_remove(context& c, const std::string& name, bool yes) {
  const auto row = find_fleet(c.server, name);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto slug = printable(text_of(*row, "slug"));
  if (auto sure = confirm("remove the fleet " + slug + " and everything in it", yes); !sure) {
    return sure;
  }
  auto removed = c.server.remove("/v7/application(" + std::to_string(int_of(*row, "id")) + ")");
  if (removed) {
    c.out.note("removed fleet " + slug);
  }
  return removed;
}

messages::result<void> device_type_list(context& c) {
  const auto rows = c.server.query(
    {"device_type", "", "slug,name", "is_of__cpu_architecture($select=slug)", "name asc", 0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto arch = text_of(expanded(row, "is_of__cpu_architecture"), "slug");
    cells.push_back({text_of(row, "slug"), arch, text_of(row, "name")});
    all.push_back({{"slug", cells.back()[0]}, {"architecture", arch}, {"name", cells.back()[2]}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else {
    c.out.table({"DEVICE TYPE", "ARCHITECTURE", "NAME"}, cells);
  }
  return {};
}

}  // namespace slipway::cli
