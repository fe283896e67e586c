#include "cli/lookup.hpp"

#include "cli/console.hpp"

#include <algorithm>

namespace slipway::cli {

using messages::errc;
using messages::fail;
using nlohmann::json;

namespace {

constexpr const char* direct_access = "is_directly_accessible_by__user/any(dau:1 eq 1)";

bool only_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The first few of several rows, for an error.
std::string listed(const std::vector<json>& rows, const char* name) {
  constexpr std::size_t shown_max = 5;
  std::string several;
  for (std::size_t i = 0; i < std::min(rows.size(), shown_max); ++i) {
    several += (i == 0 ? "" : ", ") + printable(text_of(rows[i], name));
  }
  return several + (rows.size() > shown_max ? ", ..." : "");
}

/// The only row, or an error that lists the candidates.
messages::result<json>
only(messages::result<std::vector<json>> rows, const std::string& what, const char* name) {
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->empty()) {
    return fail(errc::not_found, what + " not found");
  }
  if (rows->size() > 1) {
    return fail(errc::conflict, what + " is ambiguous: " + listed(*rows, name));
  }
  return std::move(rows->front());
}

}  // namespace

messages::result<json> who_am_i(api& server) {
  return server.get("/actor/v1/whoami");
}

messages::result<json> find_fleet(
  api& server,
  const std::string& name,
  const std::string& select,
  const std::string& expand) {
  std::string by;
  if (name.find('/') != std::string::npos) {
    std::string slug = name;
    std::transform(slug.begin(), slug.end(), slug.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    by = "(slug eq " + odata_text(slug) + ")";
  } else {
    by = "(app_name eq " + odata_text(name) + " or uuid eq " + odata_text(name) + ")";
  }
  return only(
    server.query(
      {"application", std::string(direct_access) + " and " + by, select, expand, "slug asc", 6}),
    "fleet \"" + printable(name) + "\"",
    "slug");
}

messages::result<json> only_fleet(api& server) {
  auto rows = server.query({"application", direct_access, "id,slug", "", "slug asc", 6});
  if (!rows) {
    return tl::unexpected(rows.error());
  }
  if (rows->empty()) {
    return fail(
      errc::not_found,
      "you have no fleet; create one with `slipway fleet create NAME --type TYPE`");
  }
  if (rows->size() > 1) {
    return fail(errc::invalid_argument, "name a fleet: " + listed(*rows, "slug"));
  }
  return std::move(rows->front());
}

messages::result<json> find_device(
  api& server,
  const std::string& wanted,
  const std::string& select,
  const std::string& expand) {
  // A name may look like the start of a uuid: the uuid wins, then the name.
  if (wanted.size() >= 7 && only_hex(wanted)) {
    auto rows = server.query(
      {"device",
       "startswith(uuid," + odata_text(wanted) + ")",
       select,
       expand,
       "device_name asc",
       6});
    if (!rows || !rows->empty()) {
      return only(std::move(rows), "device \"" + wanted + "\"", "uuid");
    }
  }
  return only(
    server.query(
      {"device", "device_name eq " + odata_text(wanted), select, expand, "device_name asc", 6}),
    "device \"" + printable(wanted) + "\"",
    "uuid");
}

messages::result<json> find_release(
  api& server,
  const std::string& wanted,
  const std::string& select,
  const std::string& expand) {
  const auto what = "release \"" + printable(wanted) + "\"";
  const bool digits = wanted.find_first_not_of("0123456789") == std::string::npos;
  if (digits && !wanted.empty() && wanted.size() <= 15) {
    return only(server.query({"release(" + wanted + ")", "", select, expand, "", 0}), what, "id");
  }
  if (wanted.size() < 4 || !only_hex(wanted)) {
    return fail(
      errc::invalid_argument,
      what + ": give the id, or at least the first four characters of the commit");
  }
  return only(
    server.query(
      {"release",
       "startswith(commit," + odata_text(wanted) + ")",
       select,
       expand,
       "created_at desc",
       6}),
    what,
    "commit");
}

messages::result<json> find_release_of(api& server, std::int64_t fleet, const std::string& wanted) {
  const auto what = "release \"" + printable(wanted) + "\" of that fleet";
  const bool digits = wanted.find_first_not_of("0123456789") == std::string::npos;
  if (wanted.empty() || (!digits && !only_hex(wanted))) {
    return fail(errc::invalid_argument, what + ": give the id or the start of the commit");
  }
  const auto by = digits && wanted.size() < 15
                    ? "(id eq " + wanted + " or startswith(commit," + odata_text(wanted) + "))"
                    : "startswith(commit," + odata_text(wanted) + ")";
  return only(
    server.query(
      {"release",
       "belongs_to__application eq " + std::to_string(fleet) + " and status eq 'success' and " + by,
       "id,commit",
       "",
       "created_at desc",
       6}),
    what,
    "commit");
}

messages::result<json> find_organization(api& server, const std::string& handle) {
  if (!handle.empty()) {
    return server.first(
      {"organization(handle=" + odata_text(handle) + ")", "", "id,handle", "", "", 0},
      "organization \"" + printable(handle) + "\"");
  }
  const auto me = who_am_i(server);
  if (!me) {
    return tl::unexpected(me.error());
  }
  auto rows = server.query(
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
    return std::move(rows->front());
  }
  // Of several, one's own is meant.
  const auto own = std::find_if(rows->begin(), rows->end(), [&](const json& row) {
    return text_of(row, "handle") == text_of(*me, "username");
  });
  if (own != rows->end()) {
    return std::move(*own);
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

}  // namespace slipway::cli
