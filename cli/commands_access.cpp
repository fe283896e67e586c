#include "cli/commands_access.hpp"

#include "cli/commands_fleet.hpp"
#include "cli/lookup.hpp"

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

/// Memberships of an organization and those of a fleet are two resources of one shape.
struct memberships {
  std::string resource;
  std::string parent;      ///< field of the organization or fleet
  std::string role;        ///< field of the role, and the resource of roles
  std::string invitation;  ///< resource of the invitations
  std::string invited_to;  ///< its field of the organization or fleet
  std::int64_t id = 0;
  std::string name;
};

messages::result<memberships> resolve(context& c, const membership_target& t) {
  if (t.organization.empty() == t.fleet.empty()) {
    return fail(errc::invalid_argument, "name one of --organization and --fleet");
  }
  if (!t.fleet.empty()) {
    return find_fleet(c.server, t.fleet, "id,slug").map([](const json& row) {
      return memberships{
        "user_application_membership",
        "is_member_of__application",
        "application_membership_role",
        "invitee__is_invited_to__application",
        "is_invited_to__application",
        int_of(row, "id"),
        text_of(row, "slug")};
    });
  }
  return find_organization(c.server, t.organization).map([](const json& row) {
    return memberships{
      "organization_membership",
      "is_member_of__organization",
      "organization_membership_role",
      "invitee__is_invited_to__organization",
      "is_invited_to__organization",
      int_of(row, "id"),
      text_of(row, "handle")};
  });
}

messages::result<std::int64_t> role_id(context& c, const memberships& m, const std::string& role) {
  return c.server
    .first(
      {m.role, "name eq " + odata_text(role), "id", "", "", 1},
      "role \"" + printable(role) + "\" (administrator, developer, operator, observer)")
    .map([](const json& row) { return int_of(row, "id"); });
}

messages::result<json> find_membership(context& c, const memberships& m, const std::string& user) {
  return c.server.first(
    {m.resource,
     m.parent + " eq " + std::to_string(m.id) + " and user/any(u:u/username eq " + odata_text(user)
       + ")",
     "id",
     "",
     "",
     1},
    "member \"" + printable(user) + "\" of " + printable(m.name));
}

std::string row_path(const std::string& resource, std::int64_t id) {
  return "/v7/" + resource + "(" + std::to_string(id) + ")";
}

}  // namespace

messages::result<void> organization_list(context& c) {
  const auto me = who_am_i(c.server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  const auto own = "user eq " + std::to_string(int_of(*me, "actorTypeId"));
  const auto rows = c.server.query(
    {"organization",
     "organization_membership/any(orm:orm/" + own + ")",
     "id,name,handle",
     "organization_membership($select=id;$filter=" + own
       + ";$expand=organization_membership_role($select=name))",
     "name asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto role = text_of(
      expanded(expanded(row, "organization_membership"), "organization_membership_role"),
      "name");
    cells.push_back({text_of(row, "handle"), text_of(row, "name"), role});
    all.push_back(
      {{"id", int_of(row, "id")},
       {"handle", cells.back()[0]},
       {"name", cells.back()[1]},
       {"role", role}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("you are in no organization; found one with `slipway organization create NAME`");
  } else {
    c.out.table({"HANDLE", "NAME", "YOUR ROLE"}, cells);
  }
  return {};
}

messages::result<void> organization_create(context& c, const std::string& name) {
  const auto made = c.server.post("/v7/organization", {{"name", name}});
  if (!made) {
    return tl::unexpected(made.error());
  }
  if (c.out.json()) {
    c.out.print(
      {{"id", int_of(*made, "id")}, {"name", name}, {"handle", text_of(*made, "handle")}});
  } else {
    c.out.line("created organization " + printable(text_of(*made, "handle")));
  }
  return {};
}

messages::result<void>
organization_rename(context& c, const std::string& handle, const std::string& name) {
  return find_organization(c.server, handle).and_then([&](const json& row) {
    return c.server.patch(row_path("organization", int_of(row, "id")), {{"name", name}});
  });
}

messages::result<void> organization_remove(context& c, const std::string& handle, bool yes) {
  const auto row = find_organization(c.server, handle);
  if (!row) {
    return tl::unexpected(row.error());
  }
  const auto named = printable(text_of(*row, "handle"));
  if (auto sure = confirm("remove the organization " + named, yes); !sure) {
    return sure;
  }
  return c.server.remove(row_path("organization", int_of(*row, "id")));
}

messages::result<void> member_list(context& c, const membership_target& t) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto rows = c.server.query(
    {m->resource,
     m->parent + " eq " + std::to_string(m->id),
     "id",
     "user($select=id,username,email)," + m->role + "($select=name)",
     "id asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto user = expanded(row, "user");
    const auto role = text_of(expanded(row, m->role), "name");
    cells.push_back({text_of(user, "username"), role, text_of(user, "email")});
    all.push_back(
      {{"id", int_of(row, "id")},
       {"user", int_of(user, "id")},
       {"username", cells.back()[0]},
       {"role", role},
       {"email", cells.back()[2]}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("nobody has a role of their own there");
  } else {
    c.out.table({"USER", "ROLE", "EMAIL"}, cells);
  }
  return {};
}

messages::result<void> member_add(
  context& c,
  const membership_target& t,
  const std::string& user,
  const std::string& role) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto as = role_id(c, *m, role);
  if (!as) {
    return tl::unexpected(as.error());
  }
  const auto added =
    c.server.post("/v7/" + m->resource, {{"username", user}, {m->parent, m->id}, {m->role, *as}});
  if (!added) {
    return tl::unexpected(added.error());
  }
  if (c.out.json()) {
    c.out.print({{"id", int_of(*added, "id")}, {"username", user}, {"role", role}});
  } else {
    c.out.line(printable(user) + " is " + role + " of " + printable(m->name));
  }
  return {};
}

messages::result<void> member_role(
  context& c,
  const membership_target& t,
  const std::string& user,
  const std::string& role) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto as = role_id(c, *m, role);
  if (!as) {
    return tl::unexpected(as.error());
  }
  return find_membership(c, *m, user).and_then([&](const json& row) {
    return c.server.patch(row_path(m->resource, int_of(row, "id")), {{m->role, *as}});
  });
}

messages::result<void>
member_remove(context& c, const membership_target& t, const std::string& user, bool yes) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto row = find_membership(c, *m, user);
  if (!row) {
    return tl::unexpected(row.error());
  }
  if (auto sure = confirm("remove " + printable(user) + " from " + printable(m->name), yes);
      !sure) {
    return sure;
  }
  return c.server.remove(row_path(m->resource, int_of(*row, "id")));
}

messages::result<void> invite_create(
  context& c,
  const membership_target& t,
  const std::string& email,
  const std::string& role) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto as = role_id(c, *m, role);
  if (!as) {
    return tl::unexpected(as.error());
  }
  const auto made = c.server.post(
    "/v7/" + m->invitation,
    {{"invitee", email}, {m->invited_to, m->id}, {m->role, *as}});
  if (!made) {
    return tl::unexpected(made.error());
  }
  const auto token = text_of(*made, "token");
  if (c.out.json()) {
    c.out.print(
      {{"id", int_of(*made, "id")}, {"invitee", email}, {"role", role}, {"token", token}});
    return {};
  }
  c.out.line(token);
  c.out.note(
    "give " + printable(email) + " this token; `slipway invite accept --token-file -` takes it");
  return {};
}

messages::result<void> invite_list(context& c, const membership_target& t) {
  const auto m = resolve(c, t);
  if (!m) {
    return tl::unexpected(m.error());
  }
  const auto rows = c.server.query(
    {m->invitation,
     m->invited_to + " eq " + std::to_string(m->id),
     "",
     "invitee($select=email)," + m->role + "($select=name)",
     "id asc",
     0});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  auto all = json::array();
  std::vector<std::vector<std::string>> cells;
  for (const auto& row : *rows) {
    const auto email = text_of(expanded(row, "invitee"), "email");
    const auto role = text_of(expanded(row, m->role), "name");
    cells.push_back({text_of(row, "id"), email, role, text_of(row, "created_at")});
    all.push_back({{"id", int_of(row, "id")}, {"email", email}, {"role", role}});
  }
  if (c.out.json()) {
    c.out.print(all);
  } else if (cells.empty()) {
    c.out.note("no invitations are open");
  } else {
    c.out.table({"ID", "EMAIL", "ROLE", "CREATED"}, cells);
  }
  return {};
}

messages::result<void> invite_revoke(context& c, const membership_target& t, std::int64_t id) {
  return resolve(c, t).and_then(
    [&](const memberships& m) { return c.server.remove(row_path(m.invitation, id)); });
}

messages::result<void> invite_accept(context& c, const std::string& token_file) {
  const auto token = read_secret(token_file);
  if (!token) {
    return tl::unexpected(token.error());
  }
  const auto accepted =
    c.server.post_text("/org/v1/invitation/" + percent_encode(*token), json::object());
  if (!accepted && accepted.error().code == messages::errc::not_found) {
    return messages::fail(
      messages::errc::not_found,
      "no such invitation: it was accepted or taken back already, or the token is not complete");
  }
  if (!accepted) {
    return tl::unexpected(accepted.error());
  }
  c.out.note("accepted");
  return {};
}

}  // namespace slipway::cli
