#include "cli/commands_setting.hpp"

#include "cli/lookup.hpp"

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

/// A resource whose rows are pairs of a parent.
struct pairs {
  std::string resource;
  std::string parent;  ///< field that names the parent
  std::string key;     ///< field of the name
  std::int64_t id = 0;
};

bool configures_device(const std::string& name) {
  return name.starts_with("BALENA_") || name.starts_with("RESIN_");
}

messages::result<std::int64_t> id_of(messages::result<json> row) {
  return std::move(row).map([](const json& r) { return int_of(r, "id"); });
}

messages::result<void> only_one(const setting_target& t) {
  const auto given =
    (t.fleet.empty() ? 0 : 1) + (t.device.empty() ? 0 : 1) + (t.release.empty() ? 0 : 1);
  if (given != 1) {
    return fail(errc::invalid_argument, "name one of --fleet, --device or --release");
  }
  return {};
}

messages::result<pairs> service_variables(context& c, const setting_target& t) {
  const auto fleet = id_of(find_fleet(c.server, t.fleet, "id"));
  if (!fleet) {
    return tl::unexpected(fleet.error());
  }
  const auto service = id_of(c.server.first(
    {"service(application=" + std::to_string(*fleet) + ",service_name=" + odata_text(t.service)
       + ")",
     "",
     "id",
     "",
     "",
     0},
    "service \"" + printable(t.service) + "\""));
  if (!service) {
    return tl::unexpected(service.error());
  }
  return pairs{"service_environment_variable", "service", "name", *service};
}

/// The resource that holds a variable of that kind.
messages::result<pairs> variables(context& c, const setting_target& t, bool of_device_itself) {
  if (auto one = only_one(t); !one) {
    return tl::unexpected(one.error());
  }
  if (!t.service.empty()) {
    if (t.fleet.empty() || of_device_itself) {
      return fail(errc::invalid_argument, "--service goes with --fleet and plain variables");
    }
    return service_variables(c, t);
  }
  const std::string kind = of_device_itself ? "_config_variable" : "_environment_variable";
  if (!t.fleet.empty()) {
    return id_of(find_fleet(c.server, t.fleet, "id")).map([&](std::int64_t id) {
      return pairs{"application" + kind, "application", "name", id};
    });
  }
  return id_of(find_device(c.server, t.device, "id")).map([&](std::int64_t id) {
    return pairs{"device" + kind, "device", "name", id};
  });
}

messages::result<pairs> tags(context& c, const setting_target& t) {
  if (auto one = only_one(t); !one) {
    return tl::unexpected(one.error());
  }
  if (!t.fleet.empty()) {
    return id_of(find_fleet(c.server, t.fleet, "id")).map([](std::int64_t id) {
      return pairs{"application_tag", "application", "tag_key", id};
    });
  }
  if (!t.device.empty()) {
    return id_of(find_device(c.server, t.device, "id")).map([](std::int64_t id) {
      return pairs{"device_tag", "device", "tag_key", id};
    });
  }
  return id_of(find_release(c.server, t.release, "id")).map([](std::int64_t id) {
    return pairs{"release_tag", "release", "tag_key", id};
  });
}

std::string filter_of(const pairs& p, const std::string& key) {
  return p.parent + " eq " + std::to_string(p.id) + " and " + p.key + " eq " + odata_text(key);
}

/// POST, and PATCH what is there already (balena-api.md 4.7).
messages::result<void>
upsert(context& c, const pairs& p, const std::string& key, const std::string& value) {
  const auto created =
    c.server.post("/v7/" + p.resource, {{p.parent, p.id}, {p.key, key}, {"value", value}});
  if (created || created.error().code != errc::unique_violated) {
    return created.map([](const json&) {});
  }
  return c.server.patch(
    path_of({p.resource, filter_of(p, key), "", "", "", 0}),
    {{"value", value}});
}

messages::result<void> erase(context& c, const pairs& p, const std::string& key) {
  const odata_query q{p.resource, filter_of(p, key), "", "", "", 0};
  const auto rows = c.server.query({p.resource, filter_of(p, key), "id", "", "", 1});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->empty()) {
    return fail(errc::not_found, "\"" + printable(key) + "\" is not set there");
  }
  return c.server.remove(path_of(q));
}

messages::result<std::vector<std::vector<std::string>>>
read(context& c, const pairs& p, const std::string& kind) {
  const auto rows = c.server.query(
    {p.resource,
     p.parent + " eq " + std::to_string(p.id),
     "id," + p.key + ",value",
     "",
     p.key + " asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    cells.push_back({text_of(row, p.key), text_of(row, "value"), kind});
  }
  return cells;
}

void print(
  context& c,
  const std::vector<std::vector<std::string>>& cells,
  const std::string& heading,
  bool with_kind) {
  if (c.out.json()) {
    auto all = json::array();
    for (const auto& row : cells) {
      json one{{"name", row[0]}, {"value", row[1]}};
      if (with_kind) {
        one["kind"] = row[2];
      }
      all.push_back(std::move(one));
    }
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("none set");
  } else if (with_kind) {
    c.out.table({heading, "VALUE", "KIND"}, cells);
  } else {
    std::vector<std::vector<std::string>> two;
    for (const auto& row : cells) {
      two.push_back({row[0], row[1]});
    }
    c.out.table({heading, "VALUE"}, two);
  }
}

}  // namespace

messages::result<void> env_list(context& c, const setting_target& t) {
  const auto plain = variables(c, t, false);
  if (!plain) {
    return tl::unexpected(plain.error());
  }
  auto cells = read(c, *plain, t.service.empty() ? "environment" : "service");
  if (!cells) {
    return tl::unexpected(cells.error());
  }
  if (t.service.empty()) {
    const auto config = variables(c, t, true);
    if (!config) {
      return tl::unexpected(config.error());
    }
    const auto more = read(c, *config, "configuration");
    if (!more) {
      return tl::unexpected(more.error());
    }
    cells->insert(cells->end(), more->begin(), more->end());
  }
  print(c, *cells, "NAME", true);
  return {};
}

messages::result<void>
env_set(context& c, const setting_target& t, const std::string& name, const std::string& value) {
  return variables(c, t, configures_device(name)).and_then([&](const pairs& p) {
    return upsert(c, p, name, value);
  });
}

messages::result<void> env_remove(context& c, const setting_target& t, const std::string& name) {
  return variables(c, t, configures_device(name)).and_then([&](const pairs& p) {
    return erase(c, p, name);
  });
}

messages::result<void> tag_list(context& c, const setting_target& t) {
  const auto p = tags(c, t);
  if (!p) {
    return tl::unexpected(p.error());
  }
  const auto cells = read(c, *p, "tag");
  if (!cells) {
    return tl::unexpected(cells.error());
  }
  print(c, *cells, "TAG", false);
  return {};
}

messages::result<void>
tag_set(context& c, const setting_target& t, const std::string& key, const std::string& value) {
  return tags(c, t).and_then([&](const pairs& p) { return upsert(c, p, key, value); });
}

messages::result<void> tag_remove(context& c, const setting_target& t, const std::string& key) {
  return tags(c, t).and_then([&](const pairs& p) { return erase(c, p, key); });
}

}  // namespace slipway::cli
