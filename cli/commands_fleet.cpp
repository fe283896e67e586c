#include "cli/commands_fleet.hpp"

#include "cli/lookup.hpp"
#include "cli/terminal.hpp"

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

constexpr const char* default_branches = "main or master";

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
  const auto organization = find_organization(c.server, args.organization);
  if (!organization) {
    return tl::unexpected(organization.error());
  }
  const auto fleet = c.server.post(
    "/v7/application",
    {{"app_name", args.name},
     {"is_for__device_type", int_of(*type, "id")},
     {"organization", int_of(*organization, "id")},
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
    "id,app_name,slug,uuid,should_track_latest_release,release_branch,created_at",
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
  const auto branch = text_of(*row, "release_branch");
  s["release_branch"] = branch.empty() ? json() : json(branch);
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
     {"tracks latest", bool_of(s, "tracks_latest") ? "yes" : "no"},
     {"release branch", branch.empty() ? default_branches : branch}});
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

namespace {

std::string fleet_path(const json& row) {
  return "/v7/application(" + std::to_string(int_of(row, "id")) + ")";
}

}  // namespace

messages::result<void> fleet_rename(context& c, const std::string& fleet, const std::string& name) {
  return find_fleet(c.server, fleet).and_then([&](const json& row) {
    return c.server.patch(fleet_path(row), {{"app_name", name}});
  });
}

messages::result<void> fleet_pin(context& c, const std::string& fleet, const std::string& release) {
  const auto row = find_fleet(c.server, fleet);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto target = find_release_of(c.server, int_of(*row, "id"), release);
  if (!target) {
    return tl::unexpected(target.error());
  }
  auto pinned = c.server.patch(
    fleet_path(*row),
    {{"should_be_running__release", int_of(*target, "id")},
     {"should_track_latest_release", false}});
  if (pinned) {
    c.out.note(
      printable(text_of(*row, "slug")) + " stays on release "
      + printable(text_of(*target, "commit")));
  }
  return pinned;
}

messages::result<void> fleet_track_latest(context& c, const std::string& fleet) {
  return find_fleet(c.server, fleet).and_then([&](const json& row) {
    return c.server.patch(fleet_path(row), {{"should_track_latest_release", true}});
  });
}

messages::result<void> fleet_release_branch(
  context& c,
  const std::string& fleet,
  const std::string& branch,
  bool by_default) {
  if (by_default == !branch.empty()) {
    return fail(errc::invalid_argument, "name a branch or --default");
  }
  return find_fleet(c.server, fleet).and_then([&](const json& row) {
    return c.server.patch(fleet_path(row), {{"release_branch", by_default ? json() : json(branch)}})
      .map([&] {
        c.out.note(
          "pushes to " + (by_default ? default_branches : printable(branch)) + " of "
          + printable(text_of(row, "slug")) + " are built");
      });
  });
}

messages::result<void> fleet_restart(context& c, const std::string& fleet) {
  return find_fleet(c.server, fleet).and_then([&](const json& row) {
    const auto id = std::to_string(int_of(row, "id"));
    return c.server.post_text("/application/" + id + "/restart", json::object())
      .map([&](const std::string&) {
        c.out.note("the online devices of " + printable(text_of(row, "slug")) + " restart");
      });
  });
}

messages::result<void> fleet_purge(context& c, const std::string& fleet, bool yes) {
  const auto row = find_fleet(c.server, fleet);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto slug = printable(text_of(*row, "slug"));
  if (auto sure = confirm("empty the volumes of all online devices of " + slug, yes); !sure) {
    return sure;
  }
  const auto id = int_of(*row, "id");
  return c.server
    .post_text("/supervisor/v1/purge", {{"appId", id}, {"data", {{"appId", std::to_string(id)}}}})
    .map([&](const std::string&) { c.out.note("purged " + slug); });
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
