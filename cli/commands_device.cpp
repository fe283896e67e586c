#include "cli/commands_device.hpp"

#include "cli/commands_fleet.hpp"
#include "cli/lookup.hpp"
#include "messages/json.hpp"
#include "runtime/clock.hpp"
#include "runtime/crypto.hpp"

namespace slipway::cli {

using nlohmann::json;

namespace {

/// A registration uses its provisioning key at once.
constexpr std::int64_t registration_ms = 10 * 60 * 1000;

constexpr const char* list_select =
  "id,uuid,device_name,status,overall_status,is_online,supervisor_version,os_version,"
  "last_connectivity_event";
constexpr const char* list_expand =
  "belongs_to__application($select=slug),is_of__device_type($select=slug),"
  "is_running__release($select=commit),should_be_running__release($select=commit)";

json summary(const json& row) {
  return {
    {"id", int_of(row, "id")},
    {"uuid", text_of(row, "uuid")},
    {"name", text_of(row, "device_name")},
    {"fleet", text_of(expanded(row, "belongs_to__application"), "slug")},
    {"device_type", text_of(expanded(row, "is_of__device_type"), "slug")},
    {"online", bool_of(row, "is_online")},
    {"status", text_of(row, "overall_status")},
    {"running_release", text_of(expanded(row, "is_running__release"), "commit")},
    {"target_release", text_of(expanded(row, "should_be_running__release"), "commit")},
    {"last_seen", text_of(row, "last_connectivity_event")}};
}

std::string short_text(const std::string& hex) {
  return hex.substr(0, 12);
}

json services_of(const json& row) {
  auto all = json::array();
  const auto installs = row.find("image_install");
  if (installs == row.end() || !installs->is_array()) {
    return all;
  }
  for (const auto& install : *installs) {
    const auto service = expanded(expanded(install, "installs__image"), "is_a_build_of__service");
    json s{
      {"name", text_of(service, "service_name")},
      {"status", text_of(install, "status")},
      {"release", text_of(expanded(install, "is_provided_by__release"), "commit")},
      {"download_progress", nullptr}};
    if (const auto p = install.find("download_progress"); p != install.end()) {
      s["download_progress"] = *p;
    }
    all.push_back(std::move(s));
  }
  return all;
}

}  // namespace

messages::result<void> device_list(context& c, const std::string& fleet) {
  odata_query q{"device", "", list_select, list_expand, "device_name asc", 0};
  if (!fleet.empty()) {
    const auto row = find_fleet(c.server, fleet, "id");
    if (!row) {
      return tl::unexpected(row.error());
    }
    q.filter = "belongs_to__application eq " + std::to_string(int_of(*row, "id"));
  }
  const auto rows = c.server.query(q);
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto s = summary(row);
    cells.push_back(
      {short_text(text_of(s, "uuid")),
       text_of(s, "name"),
       text_of(s, "fleet"),
       bool_of(s, "online") ? "online" : "offline",
       text_of(s, "status"),
       short_text(text_of(s, "running_release"))});
    all.push_back(s);
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no devices yet; `slipway device config FLEET` writes what one needs to join");
  } else {
    c.out.table({"UUID", "NAME", "FLEET", "PRESENCE", "STATUS", "RELEASE"}, cells, 3);
  }
  return {};
}

messages::result<void> device_show(context& c, const std::string& device) {
  const auto row = find_device(
    c.server,
    device,
    std::string(list_select) + ",overall_progress,ip_address,mac_address,note",
    std::string(list_expand)
      + ",image_install($select=id,download_progress,status,install_date;$filter=status ne "
        "'deleted';$expand=installs__image($select=id;$expand=is_a_build_of__service($select=id,"
        "service_name)),is_provided_by__release($select=id,commit))");
  if (!row) {
    return tl::unexpected(row.error());
  }
  auto s = summary(*row);
  s["progress"] = row->contains("overall_progress") ? (*row)["overall_progress"] : json();
  s["ip_address"] = text_of(*row, "ip_address");
  s["mac_address"] = text_of(*row, "mac_address");
  s["os_version"] = text_of(*row, "os_version");
  s["agent_version"] = text_of(*row, "supervisor_version");
  s["note"] = text_of(*row, "note");
  s["services"] = services_of(*row);
  if (c.out.json()) {
    c.out.print(s);
    return {};
  }
  c.out.details(
    {{"device", text_of(s, "name")},
     {"uuid", text_of(s, "uuid")},
     {"fleet", text_of(s, "fleet")},
     {"device type", text_of(s, "device_type")},
     {"presence", bool_of(s, "online") ? "online" : "offline"},
     {"last seen", ago(parse_time(text_of(s, "last_seen")), runtime::now_ms())},
     {"status", text_of(s, "status")},
     {"release", text_of(s, "running_release")},
     {"target", text_of(s, "target_release")},
     {"address", text_of(s, "ip_address")},
     {"agent", text_of(s, "agent_version")},
     {"note", text_of(s, "note")}});
  std::vector<std::vector<std::string>> cells;
  for (const auto& service : s["services"]) {
    cells.push_back(
      {text_of(service, "name"),
       text_of(service, "status"),
       short_text(text_of(service, "release")),
       text_of(service, "download_progress")});
  }
  if (!cells.empty()) {
    c.out.line("");
    c.out.table({"SERVICE", "STATUS", "RELEASE", "PROGRESS"}, cells, 1);
  }
  return {};
}

namespace {

messages::result<void> change(context& c, const std::string& device, const json& values) {
  return find_device(c.server, device).and_then([&](const json& row) {
    return c.server.patch("/v7/device(" + std::to_string(int_of(row, "id")) + ")", values);
  });
}

}  // namespace

messages::result<void>
device_rename(context& c, const std::string& device, const std::string& name) {
  return change(c, device, {{"device_name", name}});
}

messages::result<void> device_note(context& c, const std::string& device, const std::string& note) {
  return change(c, device, {{"note", note}});
}

messages::result<void> device_set_active(context& c, const std::string& device, bool active) {
  return change(c, device, {{"is_active", active}});
}

messages::result<void> device_track_fleet(context& c, const std::string& device) {
  return change(c, device, {{"is_pinned_on__release", nullptr}});
}

messages::result<void>
device_move(context& c, const std::string& device, const std::string& fleet) {
  return find_fleet(c.server, fleet, "id").and_then([&](const json& row) {
    return change(c, device, {{"belongs_to__application", int_of(row, "id")}});
  });
}

messages::result<void>
device_pin(context& c, const std::string& device, const std::string& release) {
  const auto row =
    find_device(c.server, device, "id,device_name", "belongs_to__application($select=id)");
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto fleet = int_of(expanded(*row, "belongs_to__application"), "id");
  return find_release_of(c.server, fleet, release).and_then([&](const json& target) {
    return c.server.patch(
      "/v7/device(" + std::to_string(int_of(*row, "id")) + ")",
      {{"is_pinned_on__release", int_of(target, "id")}});
  });
}

messages::result<void> device_register(context& c, const device_register_args& args) {
  const auto fleet =
    find_fleet(c.server, args.fleet, "id,slug", "is_for__device_type($select=slug)");
  if (!fleet) {
    return tl::unexpected(fleet.error());
  }
  const auto id = int_of(*fleet, "id");
  const auto key = c.server.post_text(
    "/api-key/application/" + std::to_string(id) + "/provisioning",
    {{"name", "slipway device register"},
     {"expiryDate", iso_time(runtime::now_ms() + registration_ms)}});
  if (!key) {
    return tl::unexpected(key.error());
  }
  api registrar(c.server.server(), *key);
  const auto made = registrar.post(
    "/device/register",
    {{"application", id},
     {"uuid", args.uuid.empty() ? runtime::random_hex(32) : args.uuid},
     {"device_type",
      args.device_type.empty() ? text_of(expanded(*fleet, "is_for__device_type"), "slug")
                               : args.device_type}});
  if (!made) {
    return tl::unexpected(made.error());
  }
  if (c.out.json()) {
    c.out.print(
      {{"id", int_of(*made, "id")},
       {"uuid", text_of(*made, "uuid")},
       {"api_key", text_of(*made, "api_key")}});
  } else {
    c.out.details({{"uuid", text_of(*made, "uuid")}, {"key", text_of(*made, "api_key")}});
    c.out.note("the key is shown only now");
  }
  return {};
}

messages::result<void> device_remove(context& c, const std::string& device, bool yes) {
  const auto row = find_device(c.server, device);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto name = printable(text_of(*row, "device_name"));
  if (auto sure = confirm("remove the device " + name, yes); !sure) {
    return sure;
  }
  auto removed = c.server.remove("/v7/device(" + std::to_string(int_of(*row, "id")) + ")");
  if (removed) {
    c.out.note("removed device " + name);
  }
  return removed;
}

messages::result<void> device_config(context& c, const device_config_args& args) {
  const auto fleet =
    find_fleet(c.server, args.fleet, "id,slug", "is_for__device_type($select=slug)");
  if (!fleet) {
    return tl::unexpected(fleet.error());
  }
  const auto type = args.device_type.empty()
                      ? text_of(expanded(*fleet, "is_for__device_type"), "slug")
                      : args.device_type;
  const auto config = c.server.post(
    "/download-config",
    {{"appId", int_of(*fleet, "id")},
     {"deviceType", type},
     {"version", SLIPWAY_VERSION},
     {"network", "ethernet"}});
  if (!config) {
    return tl::unexpected(config.error());
  }
  if (args.output == "-") {
    c.out.print(*config);
    return {};
  }
  auto written = write_private_file(args.output, config->dump(2) + "\n", args.force);
  if (written) {
    c.out.note(
      "wrote " + args.output + ": whoever has it can add devices to "
      + printable(text_of(*fleet, "slug")));
  }
  return written;
}

}  // namespace slipway::cli
