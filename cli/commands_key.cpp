#include "cli/commands_key.hpp"

#include "cli/lookup.hpp"
#include "cli/session.hpp"
#include "runtime/clock.hpp"

#include <charconv>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

/// The actor whose keys are meant, and the row it belongs to.
struct owner_row {
  std::int64_t id = 0;
  std::int64_t actor = 0;
};

messages::result<owner_row> resolve(context& c, const key_owner& owner) {
  const auto of_row = [](const json& row) {
    return owner_row{int_of(row, "id"), reference_of(row, "actor")};
  };
  if (!owner.fleet.empty()) {
    return find_fleet(c.server, owner.fleet, "id,actor").map(of_row);
  }
  if (!owner.device.empty()) {
    return find_device(c.server, owner.device, "id,actor").map(of_row);
  }
  return who_am_i(c.server).map([](const json& me) {
    return owner_row{int_of(me, "actorTypeId"), int_of(me, "id")};
  });
}

std::string api_key_path(const key_owner& owner, std::int64_t id) {
  return !owner.fleet.empty()    ? "/api-key/application/" + std::to_string(id) + "/provisioning"
         : !owner.device.empty() ? "/api-key/device/" + std::to_string(id) + "/device-key"
                                 : "/api-key/user/full";
}

}  // namespace

messages::result<std::string> expiry_of(const std::string& text, std::int64_t now_ms) {
  std::int64_t n = 0;
  const auto* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, n);
  if (failed == std::errc{} && rest + 1 == end && n > 0 && n <= 36'500) {
    const std::int64_t hour = 3'600'000;
    if (*rest == 'd' || *rest == 'h') {
      return iso_time(now_ms + n * (*rest == 'd' ? 24 * hour : hour));
    }
  }
  if (parse_time(text) != 0) {
    return text;
  }
  const auto whole_day = text + "T00:00:00.000Z";
  return parse_time(whole_day) != 0
           ? messages::result<std::string>(whole_day)
           : fail(
             errc::invalid_argument,
             "\"" + printable(text) + "\" is no time: 90d, 12h or 2027-01-31");
}

messages::result<void> key_create(context& c, const key_owner& owner, const key_args& args) {
  const auto row = resolve(c, owner);
  if (!row) {
    return tl::unexpected(row.error());
  }
  json body{{"name", args.name}, {"description", args.description}, {"expiryDate", nullptr}};
  if (!args.expires.empty()) {
    const auto at = expiry_of(args.expires, runtime::now_ms());
    if (!at) {
      return tl::unexpected(at.error());
    }
    body["expiryDate"] = *at;
  }
  if (!args.scope.empty()) {
    body["scope"] = json::parse(args.scope, nullptr, false);
    if (body["scope"].is_discarded()) {
      return fail(errc::invalid_argument, "--scope is not JSON");
    }
  }
  if (args.uses > 0) {
    body["uses"] = args.uses;
  }
  // Own keys need a login of the last minutes; the others do not, and lose nothing by it.
  const auto key =
    with_fresh_login(c, [&] { return c.server.post_text(api_key_path(owner, row->id), body); });
  if (!key) {
    return tl::unexpected(key.error());
  }
  if (c.out.json()) {
    c.out.print({{"name", args.name}, {"key", *key}});
  } else {
    c.out.line(*key);
    c.out.note("this key is shown only now");
  }
  return {};
}

messages::result<void> key_list(context& c, const key_owner& owner) {
  const auto row = resolve(c, owner);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto rows = c.server.query(
    {"api_key",
     "is_of__actor eq " + std::to_string(row->actor),
     "id,created_at,name,description,expiry_date",
     "",
     "name asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& r : *rows) {
    const auto expires = text_of(r, "expiry_date");
    cells.push_back(
      {text_of(r, "id"),
       text_of(r, "name"),
       text_of(r, "created_at"),
       expires.empty() ? "never" : expires,
       text_of(r, "description")});
    all.push_back(
      {{"id", int_of(r, "id")},
       {"name", cells.back()[1]},
       {"created_at", cells.back()[2]},
       {"expires", expires.empty() ? json() : json(expires)},
       {"description", cells.back()[4]}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no keys");
  } else {
    c.out.table({"ID", "NAME", "CREATED", "EXPIRES", "DESCRIPTION"}, cells);
  }
  return {};
}

messages::result<void> key_remove(context& c, std::int64_t id) {
  const auto found = c.server.first(
    {"api_key(" + std::to_string(id) + ")", "", "id", "", "", 0},
    "key " + std::to_string(id));
  if (!found) {
    return tl::unexpected(found.error());
  }
  return c.server.remove("/v7/api_key(" + std::to_string(id) + ")");
}

messages::result<void> ssh_key_add(context& c, const std::string& title, const std::string& file) {
  auto text = read_small_file(file);
  if (!text) {
    return tl::unexpected(text.error());
  }
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) {
    text->pop_back();
  }
  if (text->find("PRIVATE KEY") != std::string::npos) {
    return fail(errc::invalid_argument, "that is a private key: give the file that ends in .pub");
  }
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  const auto made = c.server.post(
    "/v7/user__has__public_key",
    {{"title", title}, {"public_key", *text}, {"user", int_of(*me, "actorTypeId")}});
  if (!made) {
    return tl::unexpected(made.error());
  }
  if (c.out.json()) {
    c.out.print({{"id", int_of(*made, "id")}, {"title", title}});
  } else {
    c.out.line("added key " + std::to_string(int_of(*made, "id")));
  }
  return {};
}

messages::result<void> ssh_key_list(context& c) {
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  const auto rows = c.server.query(
    {"user__has__public_key",
     "user eq " + std::to_string(int_of(*me, "actorTypeId")),
     "id,title,created_at",
     "",
     "id asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    cells.push_back({text_of(row, "id"), text_of(row, "title"), text_of(row, "created_at")});
    all.push_back(
      {{"id", int_of(row, "id")}, {"title", cells.back()[1]}, {"created_at", cells.back()[2]}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no keys; add one with `slipway ssh-key add TITLE ~/.ssh/id_ed25519.pub`");
  } else {
    c.out.table({"ID", "TITLE", "CREATED"}, cells);
  }
  return {};
}

messages::result<void> ssh_key_show(context& c, std::int64_t id) {
  const auto row = c.server.first(
    {"user__has__public_key(" + std::to_string(id) + ")", "", "id,title,public_key", "", "", 0},
    "key " + std::to_string(id));
  if (!row) {
    return tl::unexpected(row.error());
  }
  if (c.out.json()) {
    c.out.print(
      {{"id", id}, {"title", text_of(*row, "title")}, {"public_key", text_of(*row, "public_key")}});
  } else {
    c.out.line(printable(text_of(*row, "public_key")));
  }
  return {};
}

messages::result<void> ssh_key_remove(context& c, std::int64_t id) {
  const auto row = c.server.first(
    {"user__has__public_key(" + std::to_string(id) + ")", "", "id", "", "", 0},
    "key " + std::to_string(id));
  if (!row) {
    return tl::unexpected(row.error());
  }
  return c.server.remove("/v7/user__has__public_key(" + std::to_string(id) + ")");
}

}  // namespace slipway::cli
